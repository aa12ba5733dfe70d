import type pg from 'pg';
import type { SchemaSection } from '../../../shared/envelope/schema-object.ts';
import { SluiceError } from '../../../shared/errors.ts';
import { isRetryableState, sqlstate } from '../../../shared/postgres/failure.ts';
import { tableKey } from '../../../shared/postgres/identifiers.ts';
import { failpoint } from '../../../shared/service/failpoint.ts';
import { lockObject, openObjects, type StoredObject, writeObjectState } from '../bookkeeping/objects.ts';
import { type Destination, destinationFailure, openSession } from '../bookkeeping/session.ts';
import { refuseExisting } from './conflicts.ts';

export interface CreateOptions {
  readonly destination: Destination;
  readonly section: SchemaSection;
  /** Connections; one keeps strictly to the creation order. */
  readonly parallelism: number;
  /** A sink of some tables: a foreign key to a table that it does not take is left out. */
  readonly partial: boolean;
  readonly signal: AbortSignal;
}

/**
 * Creates what is still open of a section. The state of each object is written in the transaction that creates it.
 * With several connections order holds only within what depends on each other loosely: what fails for want of another
 * object is tried again at the end, in creation order.
 * @throws SluiceError DESTINATION_OBJECT_FAILED naming object and server's message; DESTINATION_TABLE_EXISTS before
 *   anything of the section is created.
 */
export async function createObjects(options: CreateOptions): Promise<number> {
  const { destination, section, parallelism, signal } = options;
  const first = await openSession(destination, section);
  try {
    const objects = await openObjects(first, destination.identity, section);
    await refuseExisting(
      first,
      objects.filter(({ kind }) => kind === 'table'),
    );
    const postponed: StoredObject[] = [];
    for (const wave of wavesOf(objects, parallelism)) {
      await createInParallel(options, { first, objects: wave, postponed });
    }
    postponed.sort((a, b) => a.number - b.number);
    for (const object of postponed) {
      if (!signal.aborted) await createOrFail(options, first, object);
    }
    return objects.length;
  } finally {
    await first.end().catch(() => undefined);
  }
}

/** Constraints first, since they want a table for themselves, then indexes, which share it, then what joins these. */
function wavesOf(objects: readonly StoredObject[], parallelism: number): StoredObject[][] {
  if (parallelism === 1) return [[...objects]];
  const waveOf = ({ kind }: StoredObject) => ['index', 'index attachment'].indexOf(kind);
  return [-1, 0, 1].map((wave) => objects.filter((object) => waveOf(object) === wave));
}

interface Wave {
  readonly first: pg.Client;
  readonly objects: readonly StoredObject[];
  readonly postponed: StoredObject[];
}

async function createInParallel(options: CreateOptions, { first, objects, postponed }: Wave): Promise<void> {
  const { destination, parallelism, signal } = options;
  const queue = [...objects];
  const stop = new AbortController();
  const work = async (client: pg.Client) => {
    for (let object = queue.shift(); object && !signal.aborted && !stop.signal.aborted; object = queue.shift()) {
      try {
        await createOne(options, client, object);
      } catch (error) {
        if (parallelism > 1 && isForWantOfAnother(error)) postponed.push(object);
        else throw await failed(options, { client, object, error });
      }
    }
  };
  const count = Math.min(parallelism, objects.length);
  const others = await Promise.all(
    Array.from({ length: Math.max(0, count - 1) }, () => openSession(destination, options.section)),
  );
  const cancel = () => void cancelAll(destination, [first, ...others]).catch(() => undefined);
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const guarded = [first, ...others].map((client) =>
      work(client).catch((error: unknown) => {
        stop.abort();
        throw error;
      }),
    );
    const results = await Promise.allSettled(guarded);
    const failure = results.find((result) => result.status === 'rejected');
    if (failure) throw failure.reason;
  } finally {
    signal.removeEventListener('abort', cancel);
    await Promise.all(others.map((client) => client.end().catch(() => undefined)));
  }
}

async function createOrFail(options: CreateOptions, client: pg.Client, object: StoredObject): Promise<void> {
  try {
    await createOne(options, client, object);
  } catch (error) {
    throw await failed(options, { client, object, error });
  }
}

async function createOne(
  { destination, partial }: CreateOptions,
  client: pg.Client,
  object: StoredObject,
): Promise<void> {
  const { identity } = destination;
  const { number } = object;
  await client.query('BEGIN');
  try {
    if (!(await lockObject(client, identity, number))) {
      await client.query('ROLLBACK');
      return;
    }
    const existed = object.kind === 'schema' && (await schemaExists(client, object.name));
    if (!existed) await client.query(object.sql);
    await writeObjectState(client, identity, { number, state: existed ? 'existed' : 'created', error: null });
    if (object.section === 'post-data') failpoint('sink.in-post-data');
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    if (!(partial && object.section === 'foreign-keys' && sqlstate(error) === '42P01')) throw error;
    const message = 'left out: it refers to a table that this sink does not take';
    await writeObjectState(client, identity, { number, state: 'failed', error: message });
  }
}

async function schemaExists(client: pg.Client, name: string): Promise<boolean> {
  return (await client.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [name])).rows.length > 0;
}

/** Undefined table, object or column, wrong object type, a missing unique constraint, and deadlocks of neighbours. */
const wantStates = new Set(['42P01', '42704', '42703', '42809', '42830', '55000', '40P01']);

function isForWantOfAnother(error: unknown): boolean {
  return wantStates.has(sqlstate(error) ?? '');
}

interface Failure {
  readonly client: pg.Client;
  readonly object: StoredObject;
  readonly error: unknown;
}

async function failed({ destination, signal }: CreateOptions, { client, object, error }: Failure): Promise<unknown> {
  const state = sqlstate(error);
  if (signal.aborted) return signal.reason;
  if (state === undefined || isRetryableState(state)) return destinationFailure(error, destination);
  const { number, kind } = object;
  const message = (error as Error).message;
  await writeObjectState(client, destination.identity, { number, state: 'failed', error: message }).catch(
    () => undefined,
  );
  const name = kind === 'schema' ? object.name : tableKey(object);
  return new SluiceError('DESTINATION_OBJECT_FAILED', `${kind} ${name}: ${message}`, {
    context: { kind, schema: object.schema, name: object.name, sqlstate: state },
    cause: error,
  });
}

/** Ends long statements at a drain; each rolls back by itself. */
async function cancelAll(destination: Destination, clients: readonly pg.Client[]): Promise<void> {
  const pids = clients.map((client) => (client as unknown as { processID: number }).processID);
  const canceller = await openSession(destination, 'cancel');
  try {
    await canceller.query('SELECT pg_cancel_backend(pid) FROM unnest($1::int[]) AS pid', [pids]);
  } finally {
    await canceller.end();
  }
}
