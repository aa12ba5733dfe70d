import { quoteIdentifier, quoteLiteral, quoteTable } from '../../../shared/postgres/identifiers.ts';
import type { DescribedObject, KindReader } from './described-object.ts';
import type { ColumnRow } from './table-columns.ts';

/** What CREATE TABLE cannot say of columns: storage, compression, statistics, other defaults than the parent's. */
export const readTableSettings: KindReader = async ({ scope, tables, columns }) =>
  scope.tables.flatMap((oid): DescribedObject[] => {
    const table = tables.get(oid);
    const changes = (columns.get(oid) ?? []).flatMap(columnSettings);
    if (!table || changes.length === 0) return [];
    const sql = `ALTER TABLE ONLY ${quoteTable(table)} ${changes.join(', ')}`;
    return [{ section: 'pre-data', kind: 'table settings', ...table, table, sql }];
  });

/** At cutover: until then rows are written as they are at the source, keys included. */
export const readIdentityAlways: KindReader = async ({ scope, tables, columns }) =>
  scope.tables.flatMap((oid) =>
    (columns.get(oid) ?? []).flatMap((column): DescribedObject[] => {
      const table = tables.get(oid);
      if (!table || column.identity !== 'a' || column.sequence === null) return [];
      const sql = `ALTER TABLE ${quoteTable(table)} ALTER COLUMN ${quoteIdentifier(column.name)} SET GENERATED ALWAYS`;
      return [{ section: 'cutover', kind: 'identity', schema: table.schema, name: column.name, table, sql }];
    }),
  );

const storages: Readonly<Record<string, string>> = { p: 'PLAIN', e: 'EXTERNAL', m: 'MAIN', x: 'EXTENDED' };
const compressions: Readonly<Record<string, string>> = { p: 'pglz', l: 'lz4' };

function columnSettings(column: ColumnRow): string[] {
  const changes = [...inheritedDefault(column)];
  const storage = storages[column.storage ?? ''];
  const compression = compressions[column.compression];
  if (storage !== undefined) changes.push(`SET STORAGE ${storage}`);
  if (compression !== undefined) changes.push(`SET COMPRESSION ${compression}`);
  if (column.statistics !== null) changes.push(`SET STATISTICS ${column.statistics}`);
  if (column.options !== null) changes.push(`SET (${optionList(column.options)})`);
  return changes.map((change) => `ALTER COLUMN ${quoteIdentifier(column.name)} ${change}`);
}

/** A column that is only inherited gets its parent's default, and its own has to be given again. */
function inheritedDefault(column: ColumnRow): string[] {
  if (column.local === 't' || column.generated !== '') return [];
  const changes: string[] = [];
  if (column.expression !== null) changes.push(`SET DEFAULT ${column.expression}`);
  else if (column.parent_default === 't') changes.push('DROP DEFAULT');
  if (column.not_null === 't') changes.push('SET NOT NULL');
  return changes;
}

function optionList(json: string): string {
  const options = JSON.parse(json) as string[];
  return options
    .map((option) => {
      const at = option.indexOf('=');
      return `${option.slice(0, at)} = ${quoteLiteral(option.slice(at + 1))}`;
    })
    .join(', ');
}
