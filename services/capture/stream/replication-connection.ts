import type { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import type pg from 'pg';
import { isSluiceError, SluiceError } from '../../../shared/errors.ts';
import { connect, describeEnd, type PostgresEndpoint } from '../../../shared/postgres/connection.ts';
import { postgresFailure } from '../../../shared/postgres/failure.ts';
import { quoteIdentifier } from '../../../shared/postgres/identifiers.ts';
import { formatLsn, type Lsn } from '../../../shared/postgres/lsn.ts';
import { CopyFrames } from './copy-frames.ts';
import { startReplicationFailure } from './replication-failure.ts';
import { readKeepalive, standbyStatus, WAL_MESSAGE_HEADER, walMessageLsn } from './replication-messages.ts';

/** What the source sends, called in order and synchronously: the bytes are valid during the call only. */
export interface WalReceiver {
  /**
   * A pgoutput message fills `bytes` from `start` to `end`. False: it cannot be taken now, and is given again after
   * `resume`.
   */
  message(lsn: number | bigint, bytes: Buffer, start: number, end: number): boolean;
  /** The server has sent all that commits below `walEnd`; it may want an answer. */
  keepalive(walEnd: Lsn, replyRequested: boolean): void;
}

export interface StreamStart {
  readonly slot: string;
  /** Sent as given: publication names are quoted in it already. */
  readonly options: Readonly<Record<string, string>>;
  /** Transactions that commit at or above it are sent. */
  readonly from: Lsn;
}

/** The part of pg's connection that copy-both mode needs. */
interface WireConnection extends EventEmitter {
  readonly stream: Duplex;
  sendCopyFromChunk(chunk: Buffer): void;
  end(): void;
}

/** A walsender session: commands first, then one stream of WAL until it is closed. */
export class ReplicationConnection {
  readonly #client: pg.Client;
  readonly #wire: WireConnection;
  readonly #endpoint: PostgresEndpoint;
  #frames: CopyFrames | null = null;
  #streaming = false;

  private constructor(client: pg.Client, endpoint: PostgresEndpoint) {
    this.#client = client;
    this.#wire = (client as unknown as { connection: WireConnection }).connection;
    this.#endpoint = endpoint;
  }

  /** @throws SluiceError POSTGRES_*, SOURCE_NO_SLOT_FREE when no WAL sender is free */
  static async open(endpoint: PostgresEndpoint, applicationName: string): Promise<ReplicationConnection> {
    const client = await connect(endpoint, { applicationName, end: 'source', replication: true, readsInPlace: true });
    return new ReplicationConnection(client, endpoint);
  }

  /** For what takes a session of its own accord; statements without parameters only. */
  get client(): pg.Client {
    return this.#client;
  }

  /** Process id of the walsender. */
  get pid(): number {
    return Number((this.#client as unknown as { processID: number }).processID);
  }

  /** Runs a replication command or a plain SQL statement; values are text. */
  async query(text: string): Promise<Record<string, string | null>[]> {
    try {
      const { rows } = await this.#client.query<Record<string, string | null>>(text);
      return rows;
    } catch (error) {
      throw postgresFailure(error, describeEnd(this.#endpoint, 'source'));
    }
  }

  /**
   * Starts the stream. The promise rejects when it ends, for whatever reason; it resolves only after `close`.
   * What `receiver` throws ends it too.
   */
  async stream(start: StreamStart, receiver: WalReceiver): Promise<never> {
    let started = false;
    this.#wire.once('replicationStart', () => {
      started = true;
      this.#streaming = true;
    });
    const thrown = new Promise<never>((_, reject) => {
      const take = (bytes: Buffer, from: number, end: number) => dispatch(receiver, bytes, from, end);
      this.#frames = new CopyFrames(this.#wire.stream, take, reject);
    });
    const ended = this.#client.query(startCommand(start)).then(() => {
      throw new SluiceError('SOURCE_STREAM_ENDED', 'the source ended the replication stream');
    });
    try {
      return await Promise.race([ended, thrown]);
    } catch (error) {
      if (isSluiceError(error)) throw error;
      throw startReplicationFailure(error, describeEnd(this.#endpoint, 'source'), started);
    } finally {
      this.#streaming = false;
      ended.catch(() => undefined);
    }
  }

  /** Stops reading from the socket: the server keeps what it has. Statuses still go out. */
  pause(): void {
    this.#frames?.pause();
  }

  resume(): void {
    this.#frames?.resume();
  }

  /** Tells the server that all below `lsn` is stored; asks for a keepalive in answer when `replyRequested`. */
  sendStatus(lsn: Lsn, replyRequested: boolean): void {
    if (this.#streaming) this.#wire.sendCopyFromChunk(standbyStatus(lsn, replyRequested));
  }

  /** Ends the session, without waiting for what the server still wants to send. */
  async close(): Promise<void> {
    if (this.#frames) this.#frames.end();
    else this.#wire.stream.resume();
    this.#wire.end();
    await closed(this.#wire.stream);
  }
}

const CLOSE_MILLISECONDS = 2_000;

function closed(stream: Duplex): Promise<void> {
  if (stream.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => stream.destroy(), CLOSE_MILLISECONDS);
    stream.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function dispatch(receiver: WalReceiver, bytes: Buffer, start: number, end: number): boolean {
  switch (bytes[start]) {
    case 0x77: // w
      return receiver.message(walMessageLsn(bytes, start), bytes, start + WAL_MESSAGE_HEADER, end);
    case 0x6b: {
      // k
      const { walEnd, replyRequested } = readKeepalive(bytes, start);
      receiver.keepalive(walEnd, replyRequested);
      return true;
    }
    default:
      throw new SluiceError('SOURCE_PROTOCOL', `a message of unknown kind ${bytes[start]} stands in the stream`);
  }
}

function startCommand({ slot, options, from }: StreamStart): string {
  const list = Object.entries(options).map(
    ([name, value]) => `${quoteIdentifier(name)} '${value.replaceAll("'", "''")}'`,
  );
  return `START_REPLICATION SLOT ${quoteIdentifier(slot)} LOGICAL ${formatLsn(from)} (${list.join(', ')})`;
}
