import type pg from 'pg';
import type { SchemaObject } from '../../../shared/envelope/schema-object.ts';
import { sqlstate } from '../../../shared/postgres/failure.ts';
import { quoteLiteral, quoteTable } from '../../../shared/postgres/identifiers.ts';
import { columnDifferences } from '../../../shared/schema-objects/column-differences.ts';
import { findExisting } from '../../../shared/schema-objects/existing-objects.ts';
import { describeObject } from '../../../shared/schema-objects/stored-objects.ts';
import { migratesSchema, type Problem, precheck, someNames } from './finding.ts';

export const objectsFree = precheck({
  name: 'objects at the destination',
  when: (task) => migratesSchema(task) && task.existing === 'precheck',
  look: async ({ destination, objects }) => (await findExisting(destination, objects)).conflicts,
  judge: (conflicts) =>
    conflicts.length === 0
      ? []
      : [
          {
            code: 'DESTINATION_OBJECT_EXISTS',
            message: `at the destination exist already: ${conflicts.map(nameOf).join(', ')}`,
          },
        ],
});

export const tablesKept = precheck({
  name: 'columns of tables that are kept',
  when: (task) => migratesSchema(task) && task.existing === 'ignore',
  look: async ({ destination, objects }) => {
    const { found } = await findExisting(destination, objects);
    const tables = objects.flatMap(({ number, kind, schema, name, columns }) =>
      kind === 'table' && found.has(number) && columns ? [{ schema, name, columns }] : [],
    );
    return await columnDifferences(destination, tables);
  },
  judge: (differences, task) =>
    differences.map(({ table, missing, sentences }): Problem => {
      const message = `${quoteTable(table)} exists at the destination and differs: ${sentences.join('; ')}`;
      const remedy = 'Add the missing columns as they are at the source, or drop the table.';
      if (missing.length > 0 && task.types.has('full')) return { code: 'DESTINATION_TABLE_MISSING', message, remedy };
      const look = 'Rows are converted by the types of the destination; see that they fit.';
      return { severity: 'warning', code: 'DESTINATION_OBJECT_EXISTS', message, remedy: look };
    }),
});

export const objectsLeftOut = precheck({
  name: 'objects that are not carried',
  when: migratesSchema,
  look: async ({ objects }) => objects,
  judge: (objects, task) => {
    const leftOut = objects.flatMap((object) => (object.leftOut ? [{ object, reason: object.leftOut }] : []));
    return problems(objects, leftOut, { full: task.types.has('full') });
  },
});

interface Lacking {
  readonly object: SchemaObject;
  readonly reason: string;
}

interface Judgement {
  readonly remedy?: string;
  /** Rows are to be loaded. */
  readonly full: boolean;
}

/** A finding for each reason; it names what depends on them, and is an error when rows have no place without them. */
function problems(
  objects: readonly SchemaObject[],
  lacking: readonly Lacking[],
  { remedy, full }: Judgement,
): Problem[] {
  const reasons = [...new Set(lacking.map(({ reason }) => reason))];
  return reasons.map((reason): Problem => {
    const impossible = lacking.filter((one) => one.reason === reason).map(({ object }) => object);
    const dependents = dependentsOf(objects, impossible);
    const also = dependents.length === 0 ? '' : `; nor can what depends on it: ${namesOf(dependents)}`;
    const stops = full && [...impossible, ...dependents].some(({ kind }) => kind === 'table');
    return {
      ...(stops ? {} : { severity: 'warning' }),
      code: stops ? 'DESTINATION_OBJECT_FAILED' : 'PRECHECK_FAILED',
      message: `not created: ${namesOf(impossible)}: ${reason}${also}`,
      remedy: remedy ?? 'The task runs without them; create by hand what you need of them.',
    };
  });
}

/** What needs one of them, however far; not what is said of others (comments, owners). */
function dependentsOf(objects: readonly SchemaObject[], impossible: readonly SchemaObject[]): SchemaObject[] {
  const reached = new Set(impossible.map(({ number }) => number));
  return objects.filter((object) => {
    if (reached.has(object.number) || !object.needs?.some((need) => reached.has(need))) return false;
    reached.add(object.number);
    return object.identity != null && !object.leftOut;
  });
}

/** Extensions and C functions: their files are the destination server's own. */
export const destinationFiles = precheck({
  name: 'extensions and libraries of the destination',
  when: migratesSchema,
  look: async ({ destination, objects }) => ({
    objects,
    lacking: [...(await lackingExtensions(destination, objects)), ...(await lackingLibraries(destination, objects))],
  }),
  judge: ({ objects, lacking }, task) =>
    problems(objects, lacking, {
      remedy: 'Install its files at the destination server, or leave out what depends on it.',
      full: task.types.has('full'),
    }),
});

async function lackingExtensions(destination: pg.Client, objects: readonly SchemaObject[]): Promise<Lacking[]> {
  const extensions = objects.filter(({ kind, leftOut }) => kind === 'extension' && !leftOut);
  if (extensions.length === 0) return [];
  const { rows } = await destination.query<{ name: string }>('SELECT name FROM pg_catalog.pg_available_extensions');
  const available = new Set(rows.map(({ name }) => name));
  return extensions
    .filter(({ name }) => !available.has(name))
    .map((object) => ({ object, reason: `the destination server does not have extension ${object.name}` }));
}

/** As pg_get_functiondef() writes it. */
const cFunction = /\n LANGUAGE c\b[\s\S]*\nAS '((?:[^']|'')*)', \$(\w*)\$([\s\S]*?)\$\2\$/;

/** Tries to create each in a transaction that is rolled back: the server looks for the file and the symbol. */
async function lackingLibraries(destination: pg.Client, objects: readonly SchemaObject[]): Promise<Lacking[]> {
  const lacking: Lacking[] = [];
  await destination.query('BEGIN');
  try {
    for (const object of objects) {
      const [, library, , symbol] = (object.kind === 'function' && cFunction.exec(object.sql)) || [];
      if (library === undefined || symbol === undefined) continue;
      const reason = await refusal(destination, library.replaceAll("''", "'"), symbol);
      if (reason !== null) lacking.push({ object, reason });
    }
  } finally {
    await destination.query('ROLLBACK');
  }
  return lacking;
}

async function refusal(destination: pg.Client, library: string, symbol: string): Promise<string | null> {
  await destination.query('SAVEPOINT probe');
  try {
    await destination.query(`CREATE FUNCTION pg_temp.sluice_probe() RETURNS void LANGUAGE c
      AS ${quoteLiteral(library)}, ${quoteLiteral(symbol)}`);
    return null;
  } catch (error) {
    const state = sqlstate(error);
    if (state === '42501') return 'the destination account may not create functions in C';
    if (state === '58P01') return `the destination server cannot load the library ${library}`;
    if (state === '42883') return `the library ${library} of the destination server lacks a function`;
    throw error;
  } finally {
    await destination.query('ROLLBACK TO SAVEPOINT probe');
  }
}

function namesOf(objects: readonly SchemaObject[]): string {
  return someNames(objects.map(nameOf));
}

function nameOf(object: SchemaObject): string {
  return describeObject({ ...object, identity: object.identity ?? null });
}
