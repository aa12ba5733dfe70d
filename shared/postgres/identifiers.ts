/** The only place where names and text become SQL. Everything is quoted, always. */

export interface TableName {
  readonly schema: string;
  readonly name: string;
}

/** @throws RangeError on a NUL byte, which PostgreSQL cannot hold. */
export function quoteIdentifier(name: string): string {
  if (name.includes('\0')) throw new RangeError('identifier holds a NUL byte');
  return `"${name.replaceAll('"', '""')}"`;
}

export function quoteTable(table: TableName): string {
  return `${quoteIdentifier(table.schema)}.${quoteIdentifier(table.name)}`;
}

/** A string constant that means the same under every setting of standard_conforming_strings. */
export function quoteLiteral(text: string): string {
  if (text.includes('\0')) throw new RangeError('literal holds a NUL byte');
  const doubled = text.replaceAll("'", "''");
  return doubled.includes('\\') ? ` E'${doubled.replaceAll('\\', '\\\\')}'` : `'${doubled}'`;
}

/** One text for one table, for maps and records; injective because it is quoted. */
export function tableKey(table: TableName): string {
  return quoteTable(table);
}
