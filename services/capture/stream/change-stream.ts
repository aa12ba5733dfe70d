import { setTimeout as delay } from 'node:timers/promises';
import { heartbeatDue } from '../../../shared/envelope/acknowledgement.ts';
import { SluiceError } from '../../../shared/errors.ts';
import type { Producer } from '../../../shared/kafka/interfaces.ts';
import { type Lsn, ZERO_LSN } from '../../../shared/postgres/lsn.ts';
import { BatchBuilder } from '../publish/batch-builder.ts';
import type { BatchEncoder } from '../publish/batch-encoder.ts';
import type { ManifestWriter } from '../publish/manifest-writer.ts';
import { Publisher } from '../publish/publisher.ts';
import { Acknowledger } from './acknowledger.ts';
import { LoggedTruncates } from './logged-truncates.ts';
import { PgoutputDecoder } from './pgoutput-decoder.ts';
import type { ReplicationConnection, StreamStart, WalReceiver } from './replication-connection.ts';
import type { StreamedTable } from './streamed-table.ts';
import { type KnownTransaction, type ShapeRule, TransactionAssembler } from './transaction-assembler.ts';
import { Wake } from './wake.ts';

export interface ChangeStreamOptions {
  readonly connection: ReplicationConnection;
  readonly start: StreamStart;
  /** Of the next event. */
  readonly position: bigint;
  /** The transaction that the stream must begin with, and that is published already. */
  readonly again: KnownTransaction | null;
  readonly tables: readonly StreamedTable[];
  readonly shapeRule: ShapeRule;
  readonly producer: Producer;
  readonly encoder: BatchEncoder;
  readonly writer: ManifestWriter;
  /** Of a batch, at most. */
  readonly batchEvents: number;
  /** The source does not decode TRUNCATE: its triggers log it. */
  readonly truncatesLogged: boolean;
  readonly statusMilliseconds: number;
  readonly heartbeatMilliseconds: number;
}

const BATCH_BYTES = 8 * 1024 * 1024;
/** Bytes received and not yet counted, at which the socket is left unread. */
const IN_FLIGHT_BYTES = 12 * 1024 * 1024;
/** What a decoded event takes beside the bytes of its message. */
const EVENT_OVERHEAD = 512;
/** And each of its columns. */
const COLUMN_OVERHEAD = 32;
/** Time in which small transactions gather into one batch, while nothing else is being published. */
const GATHER_MILLISECONDS = 5;
const LOOK_MILLISECONDS = 1_000;
/** After a fence, its reader may wait for a WAL position slightly past the fence's commit. */
const FENCE_WINDOW_MILLISECONDS = 5_000;
const FENCE_LOOK_MILLISECONDS = 100;
/** The source answers a status within this time, else the connection is dead. */
const SILENCE_MILLISECONDS = 60_000;

/** Publishes the changes of the source from one position on, until it is told to end or something fails. */
export class ChangeStream implements WalReceiver {
  readonly #options: ChangeStreamOptions;
  readonly #decoder = new PgoutputDecoder();
  readonly #builder: BatchBuilder;
  readonly #assembler: TransactionAssembler;
  readonly #publisher: Publisher;
  readonly #acknowledger: Acknowledger;
  readonly #loggedTruncates: LoggedTruncates | null;
  readonly #wake = new Wake();
  #paused = false;
  #heartbeatAt = 0;
  #fence = ZERO_LSN;
  #fenceAt = Number.NEGATIVE_INFINITY;
  #heardAt = performance.now();
  #failure: unknown = null;

  constructor(options: ChangeStreamOptions) {
    const { connection, writer, producer, encoder } = options;
    this.#options = options;
    this.#loggedTruncates = options.truncatesLogged ? new LoggedTruncates() : null;
    this.#builder = new BatchBuilder({ events: options.batchEvents, bytes: BATCH_BYTES }, writer.state.lsn);
    const byOid = new Map(options.tables.map((table) => [table.shape.oid, table]));
    const { position, shapeRule } = options;
    this.#assembler = new TransactionAssembler({ tables: byOid, position, receiver: this.#builder, shapeRule });
    if (options.again) this.#assembler.expect(options.again);
    this.#acknowledger = new Acknowledger({
      state: writer.state,
      sendStatus: (lsn, replyRequested) => connection.sendStatus(lsn, replyRequested),
      intervalMilliseconds: Math.min(options.statusMilliseconds, options.heartbeatMilliseconds),
    });
    this.#publisher = new Publisher({
      producer,
      encoder,
      writer,
      onAppended: () => {
        this.#acknowledger.advanced();
        this.#wake.notify();
      },
      onFailed: (error) => this.#fail(error),
    });
  }

  /**
   * Streams until `signal` aborts; then, and when the stream fails, publishes the complete transactions it has.
   * @throws SluiceError whatever ended the stream
   */
  async run(signal: AbortSignal): Promise<void> {
    const stopped = () => this.#wake.notify();
    signal.addEventListener('abort', stopped);
    this.#options.connection.stream(this.#options.start, this).catch((error: unknown) => this.#fail(error));
    this.#acknowledger.start();
    try {
      while (!signal.aborted && this.#failure === null) await this.#step();
      this.#options.connection.pause();
      await this.#drain();
      this.#acknowledger.send(false);
      if (this.#failure !== null) throw this.#failure;
    } finally {
      this.#acknowledger.stop();
      signal.removeEventListener('abort', stopped);
    }
  }

  message(lsn: Lsn, bytes: Buffer, start: number): void {
    this.#heardAt = performance.now();
    const message = this.#decoder.decode(bytes, start);
    const columns = 'relation' in message ? message.relation.columns.length : 0;
    const size = bytes.length + EVENT_OVERHEAD + columns * COLUMN_OVERHEAD;
    if (this.#loggedTruncates === null) this.#assembler.take(message, lsn, size);
    else for (const one of this.#loggedTruncates.translate(message)) this.#assembler.take(one, lsn, size);
    if (this.#builder.fence > this.#fence) {
      this.#fence = this.#builder.fence;
      this.#fenceAt = this.#heardAt;
    }
    if (!this.#paused && this.#builder.bytes + this.#publisher.bytes >= IN_FLIGHT_BYTES) {
      this.#paused = true;
      this.#options.connection.pause();
    }
    this.#wake.notify();
  }

  keepalive(walEnd: Lsn, replyRequested: boolean): void {
    this.#heardAt = performance.now();
    this.#assembler.reached(walEnd);
    if (!this.#assembler.inTransaction) this.#builder.reached(walEnd);
    if (replyRequested) this.#acknowledger.send(false);
    this.#wake.notify();
  }

  async #step(): Promise<void> {
    if (this.#builder.waiting) {
      if (!this.#builder.urgent && this.#publisher.inFlight === 0) await delay(GATHER_MILLISECONDS);
      await this.#publishNext();
    } else {
      await this.#heartbeat();
      this.#checkAlive();
      await this.#wake.within(this.#inFenceWindow() ? FENCE_LOOK_MILLISECONDS : LOOK_MILLISECONDS);
    }
    this.#resumeWithRoom();
  }

  async #publishNext(): Promise<void> {
    const batch = this.#builder.take();
    if (batch) await this.#publisher.publish(batch);
  }

  async #drain(): Promise<void> {
    while (this.#builder.waiting) await this.#publishNext();
    await this.#publisher.settled();
  }

  async #heartbeat(): Promise<void> {
    const { writer, heartbeatMilliseconds } = this.#options;
    const since = performance.now() - this.#heartbeatAt;
    const pending = this.#publisher.inFlight + (this.#builder.empty && !this.#assembler.inTransaction ? 0 : 1);
    const inWindow = this.#inFenceWindow() && since >= FENCE_LOOK_MILLISECONDS;
    const due = heartbeatDue({
      state: writer.state,
      walEnd: this.#builder.through,
      pending,
      millisecondsSinceLast: since,
      intervalMilliseconds: heartbeatMilliseconds,
      fence: inWindow || this.#builder.fence > writer.state.lsn,
    });
    if (due) {
      this.#heartbeatAt = performance.now();
      await writer.append({ kind: 'heartbeat', lsn: this.#builder.through });
      this.#acknowledger.advanced();
    } else if (inWindow && pending === 0) {
      this.#acknowledger.send(true);
    }
  }

  /** Also when nothing is being published and nothing can be: a single large message must not block for ever. */
  #resumeWithRoom(): void {
    if (!this.#paused) return;
    const idle = this.#publisher.inFlight === 0 && !this.#builder.waiting;
    if (!idle && this.#builder.bytes + this.#publisher.bytes > IN_FLIGHT_BYTES / 2) return;
    this.#paused = false;
    this.#heardAt = performance.now();
    this.#options.connection.resume();
  }

  #inFenceWindow(): boolean {
    return performance.now() - this.#fenceAt < FENCE_WINDOW_MILLISECONDS;
  }

  #checkAlive(): void {
    if (this.#paused || performance.now() - this.#heardAt < SILENCE_MILLISECONDS) return;
    this.#fail(new SluiceError('SOURCE_STREAM_ENDED', 'the source is silent, although it was asked to answer'));
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#wake.notify();
  }
}
