import type pg from 'pg';
import type { SnapshotIdentity, Visibility } from '../../../shared/envelope/manifest.ts';
import { SluiceError } from '../../../shared/errors.ts';
import { connect, describeEnd, type PostgresEndpoint } from '../../../shared/postgres/connection.ts';
import { postgresFailure } from '../../../shared/postgres/failure.ts';
import { quoteLiteral } from '../../../shared/postgres/identifiers.ts';
import type { Lsn } from '../../../shared/postgres/lsn.ts';
import { serverVersion } from '../../../shared/postgres/server-version.ts';

/**
 * Keeps one snapshot of the source alive for as long as it is read by others.
 * A slot's exported snapshot dies with the next command on the slot's connection, so the keeper imports it at once
 * and exports it again under a name of its own.
 */
export interface Keeper {
  /** Name for SET TRANSACTION SNAPSHOT of others. */
  readonly snapshot: string;
  readonly identity: SnapshotIdentity;
  /** Aborted when the session ended: nobody can import the snapshot any more. */
  readonly lost: AbortSignal;
  /** Reads under the snapshot, one at a time, in the keeper's own session. */
  read<T>(work: (client: pg.Client) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export interface KeeperOptions {
  readonly endpoint: PostgresEndpoint;
  readonly applicationName: string;
  /** The snapshot that a new slot exported; without it the keeper takes one of its own. */
  readonly slot?: { readonly snapshot: string; readonly consistentPoint: Lsn };
}

const KEEPALIVE_MS = 10_000;

/** @throws SluiceError POSTGRES_* */
export async function openKeeper(options: KeeperOptions): Promise<Keeper> {
  const client = await connect(options.endpoint, { applicationName: options.applicationName, end: 'source' });
  try {
    const identity = await begin(client, options.slot);
    const { rows } = await client.query<{ name: string }>('SELECT pg_export_snapshot() AS name');
    return new SessionKeeper(client, rows[0]?.name ?? '', identity, options.endpoint);
  } catch (error) {
    await client.end().catch(() => undefined);
    throw postgresFailure(error, describeEnd(options.endpoint, 'source'));
  }
}

async function begin(client: pg.Client, slot: KeeperOptions['slot']): Promise<SnapshotIdentity> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  if (slot) {
    await client.query(`SET TRANSACTION SNAPSHOT ${quoteLiteral(slot.snapshot)}`);
    return { kind: 'slot', consistentPoint: slot.consistentPoint };
  }
  return await currentSnapshot(client);
}

/** What a statement of the session sees now; of a transaction's snapshot, what that sees. */
export async function currentSnapshot(client: pg.Client): Promise<SnapshotIdentity> {
  const current = (await serverVersion(client)) >= 130_000 ? 'pg_current_snapshot()' : 'txid_current_snapshot()';
  const { rows } = await client.query<{ text: string }>(`SELECT ${current}::text AS text`);
  return { kind: 'ordinary', visibility: parseVisibility(rows[0]?.text ?? '') };
}

/** `xmin:xmax:xip,xip` as pg_current_snapshot() writes it; transaction ids of 64 bits. */
export function parseVisibility(text: string): Visibility {
  const match = /^(\d+):(\d+):([\d,]*)$/.exec(text);
  if (!match?.[1] || !match[2]) throw new SluiceError('INTERNAL', `not a snapshot: ${JSON.stringify(text)}`);
  const running = (match[3] ?? '').split(',').filter((part) => part !== '');
  return { xmin: BigInt(match[1]), xmax: BigInt(match[2]), running: running.map(BigInt) };
}

class SessionKeeper implements Keeper {
  readonly snapshot: string;
  readonly identity: SnapshotIdentity;
  readonly #client: pg.Client;
  readonly #endpoint: PostgresEndpoint;
  readonly #lost = new AbortController();
  readonly #keepalive: NodeJS.Timeout;
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(client: pg.Client, snapshot: string, identity: SnapshotIdentity, endpoint: PostgresEndpoint) {
    this.snapshot = snapshot;
    this.identity = identity;
    this.#client = client;
    this.#endpoint = endpoint;
    client.on('end', () => this.#lose());
    this.#keepalive = setInterval(() => {
      this.read((session) => session.query('SELECT 1')).catch(() => this.#lose());
    }, KEEPALIVE_MS);
    this.#keepalive.unref();
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  read<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const result = this.#last.then(() => work(this.#client));
    this.#last = result.catch(() => undefined);
    return result.catch((error: unknown) => {
      throw postgresFailure(error, describeEnd(this.#endpoint, 'source'));
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#keepalive);
    await this.#client.end().catch(() => undefined);
  }

  #lose(): void {
    if (this.#closed) return;
    clearInterval(this.#keepalive);
    const where = describeEnd(this.#endpoint, 'source');
    this.#lost.abort(postgresFailure(new Error('the session that kept the snapshot ended'), where));
  }
}
