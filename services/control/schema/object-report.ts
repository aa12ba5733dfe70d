import type { TableName } from '../../../shared/postgres/identifiers.ts';
import { isOpen, isThere, type StoredObject } from '../../../shared/schema-objects/stored-objects.ts';

export const outcomes = ['created', 'existed', 'differs', 'left out', 'skipped', 'failed', 'pending'] as const;

/** What became of one object of the source's schema. */
export interface ObjectOutcome {
  readonly number: number;
  readonly section: string;
  readonly kind: string;
  readonly schema: string;
  readonly name: string;
  /** The table that it belongs to. */
  readonly table: TableName | null;
  /** As the server names it; null for what is said of another object. */
  readonly identity: string | null;
  readonly outcome: (typeof outcomes)[number];
  /** Of what is not there: why; of a failed one the server's message. Of what differs: how. */
  readonly reason: string | null;
  readonly sqlstate: string | null;
  /** Of a failed or skipped one, to be run by hand. */
  readonly sql: string | null;
}

export interface ObjectReport {
  /** By outcome, those that occur. */
  readonly counts: Readonly<Record<string, number>>;
  /** There at the end, and not there. */
  readonly there: number;
  readonly missing: number;
  readonly objects: readonly ObjectOutcome[];
}

export function outcomeOf(object: StoredObject): ObjectOutcome {
  const { number, section, kind, schema, name, table, identity, state, differences, sqlstate, sql } = object;
  const differs = state === 'existed' && differences.length > 0;
  return {
    number,
    section,
    kind,
    schema,
    name,
    table,
    identity: identity?.identity ?? null,
    outcome: differs ? 'differs' : state,
    reason: differs ? differences.join('; ') : object.reason,
    sqlstate,
    sql: state === 'failed' || state === 'skipped' ? sql : null,
  };
}

export function objectReport(objects: readonly StoredObject[]): ObjectReport {
  const list = objects.map(outcomeOf);
  const counted = outcomes.map((outcome) => [outcome, list.filter((one) => one.outcome === outcome).length] as const);
  return {
    counts: Object.fromEntries(counted.filter(([, count]) => count > 0)),
    there: objects.filter(isThere).length,
    missing: objects.filter((object) => !isThere(object)).length,
    objects: list,
  };
}

/** Something that should be there and is not. */
export function hasFailed(objects: readonly StoredObject[]): boolean {
  return objects.some(isOpen);
}

/** The report for people: a line for each object, below it why it is not there; the counts last. */
export function reportText({ objects, counts, there, missing }: ObjectReport): string {
  const names = objects.map(nameOf);
  const widths = [
    widthOf(objects.map(({ outcome }) => outcome)),
    widthOf(
      objects.map(({ kind }) => kind),
      24,
    ),
  ];
  const lines = objects.flatMap(({ outcome, kind, reason, sqlstate, sql }, index) => {
    const line = `${outcome.padEnd(widths[0] ?? 0)}  ${kind.padEnd(widths[1] ?? 0)}  ${names[index]}`;
    const why = reason === null ? [] : [`    ${reason}${sqlstate === null ? '' : ` (SQLSTATE ${sqlstate})`}`];
    return [line, ...why, ...(outcome === 'failed' && sql ? indented(sql) : [])];
  });
  return [...lines, ...(lines.length === 0 ? [] : ['']), countsText({ counts, there, missing })].join('\n');
}

export function countsText({ counts, there, missing }: Omit<ObjectReport, 'objects'>): string {
  const parts = Object.entries(counts).map(([outcome, count]) => `${count} ${outcome}`);
  return `${there} objects are at the destination, ${missing} are not${parts.length === 0 ? '' : ` (${parts.join(', ')})`}`;
}

function nameOf({ identity, schema, name, table }: ObjectOutcome): string {
  if (identity !== null) return identity;
  if (table !== null) return `${table.schema}.${table.name}${table.name === name ? '' : ` ${name}`}`;
  return schema === '' || schema === name ? name : `${schema}.${name}`;
}

function widthOf(texts: readonly string[], most = 12): number {
  return Math.min(most, Math.max(0, ...texts.map((text) => text.length)));
}

function indented(sql: string): string[] {
  return sql.split('\n').map((line) => `    | ${line}`);
}
