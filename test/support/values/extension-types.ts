/** Contrib modules that bring types, in the schema ext at both ends. */
export const extensions = [
  'citext',
  'cube',
  'earthdistance',
  'hstore',
  'intarray',
  'isn',
  'lo',
  'ltree',
  'pg_trgm',
  'seg',
];

export const extensionsSql = `CREATE SCHEMA ext; ${extensions.map((name) => `CREATE EXTENSION ${name} SCHEMA ext`).join('; ')}`;

export const extensionSamples: Readonly<Record<string, readonly string[]>> = {
  'ext.citext': ['', 'ABC', 'abc ', '\\N', 'ü'],
  'ext.cube': ['()', '(1, -2, 1e-300)', '(0, 0),(1, NaN)'],
  'ext.ean13': ['978-0-393-04002-9', '0000000000000'],
  'ext.earth': ['(6378168, 0, 0)'],
  'ext.hstore': ['', '"a"=>NULL, "NULL"=>"", "q\\""=>"\\\\ ,=>"'],
  'ext.isbn': ['0-393-04002-X'],
  'ext.isbn13': ['978-0-393-04002-9'],
  'ext.ismn': ['M-060-11561-5'],
  'ext.ismn13': ['979-0-060-11561-5'],
  'ext.issn': ['1436-4522'],
  'ext.issn13': ['977-1436-452-00-8'],
  'ext.lo': ['0', '4294967295'],
  'ext.lquery': ['*.a*@{1,}.!b|c', 'a'],
  'ext.ltree': ['', 'Top.Science_1.a'],
  'ext.ltxtquery': ['a & !b*@', 'c'],
  'ext.query_int': ['1&(2|!3)'],
  'ext.seg': ['1.10', '~5.0 .. >7', '< 2.00', '1 ..'],
  'ext.upc': ['220356483481'],
};

export const extensionsWithoutInput: ReadonlySet<string> = new Set([
  'ext.ghstore',
  'ext.gtrgm',
  'ext.intbig_gkey',
  'ext.ltree_gist',
]);
