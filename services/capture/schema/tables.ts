import { quoteIdentifier, quoteTable, type TableName } from '../../../shared/postgres/identifiers.ts';
import { type Column, type ColumnOrder, columnOrder } from './column-order.ts';
import { type ColumnRow, columnSettings, columnType, defaultKey, valueClause } from './columns.ts';
import type { DescribedObject, KindReader, Part } from './described-object.ts';
import { foreignOptions } from './foreign-options.ts';
import { FOREIGN_LEFT_OUT } from './foreign-servers.ts';
import { storageOptions, withClause } from './options.ts';
import { type Check, readTableFacts, type Table } from './table-facts.ts';

/** Tables with all that is said of their columns, and what waits for cutover. */
export const readTables: KindReader = async ({ client, version, options }) => {
  const tables = await readTableFacts(client, version);
  const byOid = new Map(tables.map((table) => [table.oid, table]));
  const all = { byOid, order: columnOrder(byOid) };
  return [
    ...tables.map((table) => carriedOrNot(describeTable(table, all), options.foreignServers)),
    ...tables.flatMap((table) => lateInheritance(table, all)),
    ...tables.flatMap(identityAlways),
    ...tables.flatMap(rowSecurity),
  ];
};

function carriedOrNot(object: DescribedObject, foreign: boolean): DescribedObject {
  return object.kind === 'foreign table' && !foreign ? { ...object, leftOut: FOREIGN_LEFT_OUT } : object;
}

const keyOf = ({ oid }: { oid: string }) => `pg_class:${oid}`;

interface Tables {
  readonly byOid: ReadonlyMap<string, Table>;
  readonly order: ColumnOrder;
}

function describeTable(table: Table, tables: Tables): DescribedObject {
  const { schema, name, server } = table;
  const kind = server === null ? 'table' : 'foreign table';
  return {
    key: keyOf(table),
    section: 'pre-data',
    kind,
    schema,
    name,
    table: server === null ? { schema, name } : null,
    columns: table.columns.map((column) => ({ name: column.name, type: column.type })),
    sql: tableSql(table, tables, new Set()),
    target: `${kind.toUpperCase()} ${quoteTable(table)}`,
    lineage: table.lineage,
    parts: tableParts(table, tables),
    without: (later) => tableSql(table, tables, later),
    ...laterParts(table, tables),
  };
}

/** Columns that children had before, and what is said of the columns once all of them are there. */
function laterParts(table: Table, tables: Tables): Pick<DescribedObject, 'later'> {
  if (!tables.order.early.has(table.oid)) return {};
  return { later: lateColumnParts(table, tables).map(({ key }) => key) };
}

const columnKey = ({ table, column }: Column) => `pg_class:${table}/column ${column}`;

/** Everything that is said of a table that has late columns, but the table with its early ones. */
function lateColumnParts(table: Table, tables: Tables): Part[] {
  const { order, byOid } = tables;
  if (!order.early.has(table.oid)) return [];
  const ordinary = ordinaryParts(table);
  const later = new Set(ordinary.map(({ key }) => key));
  const added = order.late.flatMap((late): Part[] => {
    const column = late.table === table.oid ? table.columns.find(({ name }) => name === late.column) : undefined;
    if (column === undefined) return [];
    const before = late.after.map(columnKey);
    const related = [...order.family].map((oid) => `pg_class:${oid}`);
    const covers = late.reaches.flatMap((oid) => columnEntry(byOid.get(oid), late.column));
    const sql = `ALTER TABLE ${quoteTable(table)} ADD COLUMN ${columnDefinition(table, column, later)}`;
    return [{ key: columnKey(late), kind: 'column', name: late.column, sql, covers, needs: [...before, ...related] }];
  });
  const needs = order.late.filter(({ reaches }) => reaches.includes(table.oid)).map(columnKey);
  const settings = [
    ...inheritedLateNotNulls(table, order).map((clause) => `ALTER TABLE ${quoteTable(table)} ADD ${clause}`),
    settingsSql(table, tables, later),
  ].filter((sql) => sql !== '');
  const key = `${keyOf(table)}/settings`;
  const said = { key, kind: 'table settings', name: table.name, sql: settings.join('; '), needs };
  return [...added, ...ordinary.map((part) => ({ ...part, needs })), ...(settings.length === 0 ? [] : [said])];
}

function columnEntry(table: Table | undefined, name: string): string[] {
  const column = table?.columns.find((one) => one.name === name);
  return column === undefined ? [] : [`pg_class:${column.relation}#${column.number}`];
}

/** Of columns that a parent adds later. */
function inheritedLateNotNulls(table: Table, { early, late }: ColumnOrder): string[] {
  const added = late.filter(({ table: oid }) => oid === table.oid).map(({ column }) => column);
  const others = table.columns.slice(0, early.get(table.oid)).map(({ name }) => name);
  return notNullConstraints(table, new Set([...added, ...others]));
}

function tableParts(table: Table, tables: Tables): Part[] {
  return tables.order.early.has(table.oid) ? lateColumnParts(table, tables) : ordinaryParts(table);
}

function ordinaryParts(table: Table): Part[] {
  const alter = `ALTER TABLE ${quoteTable(table)}`;
  const defaults = table.columns.flatMap((column): Part[] => {
    const key = defaultKey(column);
    const sql = `${alter.replace('TABLE', 'TABLE ONLY')} ALTER COLUMN ${quoteIdentifier(column.name)} SET DEFAULT ${column.expression}`;
    return key === null ? [] : [{ key, kind: 'default', name: column.name, sql }];
  });
  const checks = table.checks
    .filter(({ local }) => local || table.partition)
    .map((check): Part => {
      const sql = `${alter} ADD ${checkClause(check)}`;
      return { key: checkKey(check), kind: 'check', name: check.name, sql };
    });
  return [...defaults, ...checks];
}

const checkKey = ({ oid }: Check) => `pg_constraint:${oid}`;
const checkClause = ({ name, definition }: Check) => `CONSTRAINT ${quoteIdentifier(name)} ${definition}`;

function tableSql(table: Table, tables: Tables, later: ReadonlySet<string>): string {
  const settings = tables.order.early.has(table.oid) ? '' : settingsSql(table, tables, later);
  return settings === '' ? createSql(table, tables, later) : `${createSql(table, tables, later)}; ${settings}`;
}

function createSql(table: Table, tables: Tables, later: ReadonlySet<string>): string {
  const body = [
    ...ownColumns(table, tables).map((column) => columnDefinition(table, column, later)),
    ...tableConstraints(table, tables, later),
  ];
  const parts = [`CREATE ${persistence(table)}TABLE ${quoteTable(table)}`];
  if (table.type !== null) parts.push(`OF ${table.type}`);
  if (table.type === null || body.length > 0) parts.push(`(${body.join(', ')})`);
  if (!standsAlone(table, tables)) parts.push(`INHERITS (${table.parents.map(quoteTable).join(', ')})`);
  if (table.server !== null) {
    parts.push(`SERVER ${quoteIdentifier(table.server)}${foreignOptions(table.foreignOptions).clause}`);
  }
  if (table.partitionKey !== null) parts.push(`PARTITION BY ${table.partitionKey}`);
  if (table.accessMethod !== null) parts.push(`USING ${quoteIdentifier(table.accessMethod)}`);
  return parts.join(' ') + withClause(table.options);
}

function persistence({ server, unlogged }: Table): string {
  if (server !== null) return 'FOREIGN ';
  return unlogged ? 'UNLOGGED ' : '';
}

/**
 * A partition is created with all of its columns and attached; so is a child whose columns no order of additions
 * brings to their places.
 */
function standsAlone(table: Table, { byOid, order }: Tables): boolean {
  if (table.partition || table.parents.length === 0) return true;
  if (order.family.has(table.oid)) return false;
  const own = table.columns.map(({ name }) => name);
  const inherited = new Set(table.parents.flatMap(({ oid }) => byOid.get(oid)?.columns.map(({ name }) => name) ?? []));
  return ![...inherited].every((name, i) => own[i] === name);
}

/** Columns that CREATE TABLE names: of a typed table those of which there is more to say than the type does. */
function ownColumns(table: Table, tables: Tables): readonly ColumnRow[] {
  const { columns } = table;
  if (table.type !== null) {
    return columns.filter(
      ({ not_null, expression, identity }) => not_null === 't' || expression !== null || identity !== '',
    );
  }
  const early = columns.slice(0, tables.order.early.get(table.oid));
  return standsAlone(table, tables) ? early : early.filter(({ local }) => local === 't');
}

function columnDefinition(table: Table, column: ColumnRow, later: ReadonlySet<string>): string {
  const parts = [quoteIdentifier(column.name), table.type === null ? columnType(column) : 'WITH OPTIONS'];
  if (column.foreign_options !== '[]') parts.push(foreignOptions(column.foreign_options).clause.trim());
  if (!later.has(defaultKey(column) ?? '')) parts.push(...valueClause(column));
  if (column.not_null === 't') parts.push(notNullClause(table, column));
  return parts.join(' ');
}

/** Without a name of its own before 18. */
function notNullClause({ notNulls }: Table, { name }: ColumnRow): string {
  const named = notNulls.find(({ column }) => column === name);
  if (!named) return 'NOT NULL';
  return `CONSTRAINT ${quoteIdentifier(named.name)} NOT NULL${named.noInherit ? ' NO INHERIT' : ''}`;
}

function tableConstraints(table: Table, tables: Tables, later: ReadonlySet<string>): string[] {
  const alone = standsAlone(table, tables);
  const late = tables.order.early.has(table.oid);
  const named = new Set(ownColumns(table, tables).map(({ name }) => name));
  const notNulls = notNullConstraints(table, new Set([...named, ...lateNames(table, tables)]));
  const checks = table.checks
    .filter((check) => (alone || check.local) && !late && !later.has(checkKey(check)))
    .map(checkClause);
  return [...notNulls, ...checks];
}

/** Not-null constraints of the table's own on columns other than those that come with their own. */
function notNullConstraints({ notNulls }: Table, others: ReadonlySet<string>): string[] {
  return notNulls
    .filter(({ column, local }) => local && !others.has(column))
    .map(({ name, column, noInherit }) => {
      const clause = `CONSTRAINT ${quoteIdentifier(name)} NOT NULL ${quoteIdentifier(column)}`;
      return noInherit ? `${clause} NO INHERIT` : clause;
    });
}

function lateNames({ oid, columns }: Table, { order }: Tables): string[] {
  const early = order.early.get(oid);
  return early === undefined ? [] : columns.slice(early).map(({ name }) => name);
}

/** What CREATE TABLE cannot say of the columns. */
function settingsSql(table: Table, tables: Tables, later: ReadonlySet<string>): string {
  const own = new Set(tables.order.late.filter(({ table: oid }) => oid === table.oid).map(({ column }) => column));
  const named = new Set([...ownColumns(table, tables).map(({ name }) => name), ...own]);
  const alter = `ALTER ${table.server === null ? '' : 'FOREIGN '}TABLE ONLY ${quoteTable(table)}`;
  const changes = table.columns.flatMap((column) => {
    const inherited = table.type === null && !named.has(column.name);
    const isLater = later.has(defaultKey(column) ?? '');
    const known = { ...column, ...(isLater && { expression: null, parent_default: 'f' }) };
    return columnSettings(known, { inherited, notNull: table.notNulls.length === 0 });
  });
  const statements = changes.length === 0 ? [] : [`${alter} ${changes.join(', ')}`];
  for (const { name, options } of table.columns) {
    // By itself: it takes a weaker lock and is refused beside some other changes.
    if (options !== null)
      statements.push(`${alter} ALTER COLUMN ${quoteIdentifier(name)} SET (${storageOptions(options)})`);
  }
  return statements.join('; ');
}

function lateInheritance(table: Table, tables: Tables): DescribedObject[] {
  if (!standsAlone(table, tables)) return [];
  return table.parents.map((parent) => ({
    ...setting(table, `inheritance ${quoteTable(parent)}`, `INHERIT ${quoteTable(parent)}`),
    section: 'pre-data',
    kind: 'inheritance',
    needs: [keyOf(parent)],
  }));
}

/** At cutover: until then rows are written as they are at the source, keys included. */
function identityAlways(table: Table): DescribedObject[] {
  return table.columns
    .filter(({ identity, sequence }) => identity === 'a' && sequence !== null)
    .map(({ name }) => ({
      ...setting(table, `identity ${name}`, `ALTER COLUMN ${quoteIdentifier(name)} SET GENERATED ALWAYS`),
      kind: 'identity',
      name,
    }));
}

/** At cutover: it hides rows from whoever writes them and is no owner. */
function rowSecurity(table: Table): DescribedObject[] {
  const actions = [
    ...(table.rowSecurity ? ['ENABLE ROW LEVEL SECURITY'] : []),
    ...(table.forcedRowSecurity ? ['FORCE ROW LEVEL SECURITY'] : []),
  ];
  if (actions.length === 0) return [];
  return [{ ...setting(table, 'row security', actions.join(', ')), kind: 'row security' }];
}

function setting(table: Table, suffix: string, action: string): Omit<DescribedObject, 'kind'> {
  const name: TableName = { schema: table.schema, name: table.name };
  return {
    key: `${keyOf(table)}/${suffix}`,
    section: 'cutover',
    ...name,
    table: table.server === null ? name : null,
    // An identity goes down to the partitions; of what inherits nothing else is said here.
    sql: `ALTER TABLE ${suffix.startsWith('identity') ? '' : 'ONLY '}${quoteTable(name)} ${action}`,
    of: keyOf(table),
  };
}
