import { SluiceError } from '../errors.ts';
import type { TableName } from '../postgres/identifiers.ts';
import type { NameFilter, Selection } from './task.ts';

/**
 * Patterns are case-sensitive and taken as written: `*` stands for any characters, a part in double quotes for
 * itself (`"` doubled inside). A table's pattern has two parts: `shop.order*`, `*."weird.name"`.
 */

/** What the task takes of the source. Schemas and tables must both agree; exclude wins over include. */
export interface Selector {
  schema(name: string): boolean;
  /**
   * `lineage`: the table first, then the partitioned tables above it. One that is included includes its
   * partitions; one that is excluded excludes them.
   */
  table(lineage: readonly TableName[]): boolean;
  /** True when tables are asked for by name, so that not everything in the schemas is meant. */
  readonly byTable: boolean;
}

/** @throws SluiceError CONFIG_INVALID naming the pattern. */
export function selector(selection: Selection): Selector {
  const schemas = schemaFilter(selection.schemas);
  const tables = tableFilter(selection.tables);
  const schema = (name: string) => !isSystemSchema(name) && schemas(name);
  return {
    schema,
    table: (lineage) => {
      const [table] = lineage;
      return table !== undefined && schema(table.schema) && tables(lineage);
    },
    byTable: selection.tables.include.length > 0,
  };
}

/** PostgreSQL's own schemas and Sluice's: never selected, whatever the patterns say. */
export function isSystemSchema(name: string): boolean {
  return name.startsWith('pg_') || name === 'information_schema' || name === 'sluice';
}

/** @throws SluiceError CONFIG_INVALID naming the pattern. */
export function schemaFilter(filter: NameFilter): (name: string) => boolean {
  const include = filter.include.map((text) => compile(text, 1));
  const exclude = filter.exclude.map((text) => compile(text, 1));
  return (name) => {
    const matches = ([part]: RegExp[]) => part?.test(name) ?? false;
    return (include.length === 0 || include.some(matches)) && !exclude.some(matches);
  };
}

/** @throws SluiceError CONFIG_INVALID naming the pattern. */
export function tableFilter(filter: NameFilter): (lineage: readonly TableName[]) => boolean {
  const include = filter.include.map((text) => compile(text, 2));
  const exclude = filter.exclude.map((text) => compile(text, 2));
  return (lineage) => {
    const matches = ([schema, name]: RegExp[]) =>
      lineage.some((table) => schema?.test(table.schema) && name?.test(table.name));
    return (include.length === 0 || include.some(matches)) && !exclude.some(matches);
  };
}

function compile(pattern: string, parts: 1 | 2): RegExp[] {
  const found = splitPattern(pattern);
  if (found?.length === parts) return found;
  const form = parts === 1 ? 'schema' : 'schema.table';
  throw new SluiceError('CONFIG_INVALID', `${JSON.stringify(pattern)} is not a pattern of the form ${form}`);
}

const PART = /"((?:[^"]|"")+)"|([^".]+)/y;

/** The parts as expressions over whole names; null when the text is not such a pattern. */
function splitPattern(pattern: string): RegExp[] | null {
  const parts: RegExp[] = [];
  for (let at = 0; ; at += 1) {
    PART.lastIndex = at;
    const match = PART.exec(pattern);
    if (!match) return null;
    parts.push(match[1] === undefined ? wildcard(match[2] ?? '') : literal(match[1].replaceAll('""', '"')));
    at = PART.lastIndex;
    if (at === pattern.length) return parts;
    if (pattern[at] !== '.') return null;
  }
}

function literal(text: string): RegExp {
  return new RegExp(`^${escapeText(text)}$`, 'su');
}

function wildcard(text: string): RegExp {
  return new RegExp(`^${text.split('*').map(escapeText).join('.*')}$`, 'su');
}

function escapeText(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}
