import { heartbeatDue } from '../../../shared/envelope/acknowledgement.ts';
import { SluiceError } from '../../../shared/errors.ts';
import type { Producer } from '../../../shared/kafka/interfaces.ts';
import { type Lsn, ZERO_LSN } from '../../../shared/postgres/lsn.ts';
import { BatchBuilder } from '../publish/batch-builder.ts';
import type { ManifestWriter } from '../publish/manifest-writer.ts';
import { Publisher } from '../publish/publisher.ts';
import type { TableLanes } from '../publish/table-lanes.ts';
import { Acknowledger } from './acknowledger.ts';
import type { ShapeRule } from './bound-tables.ts';
import { LoggedTruncates } from './logged-truncates.ts';
import { PgoutputDecoder } from './pgoutput-decoder.ts';
import type { PgoutputMessage } from './pgoutput-message.ts';
import type { ReplicationConnection, StreamStart, WalReceiver } from './replication-connection.ts';
import type { StreamedTable } from './streamed-table.ts';
import { type KnownTransaction, TransactionAssembler } from './transaction-assembler.ts';
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
  readonly lanes: TableLanes;
  readonly writer: ManifestWriter;
  /** Of a batch, at most. */
  readonly batchEvents: number;
  /** The source does not decode TRUNCATE: its triggers log it. */
  readonly truncatesLogged: boolean;
  readonly statusMilliseconds: number;
  readonly heartbeatMilliseconds: number;
  readonly signal: AbortSignal;
}

const BATCH_BYTES = 2 * 1024 * 1024;
/** Of a batch over very many tables, for each. */
const LANE_BYTES = 8 * 1024;
/** Bytes of records that are not counted yet, at which the socket is left unread. */
const IN_FLIGHT_BYTES = 12 * 1024 * 1024;
/** How long a batch over very many tables may fill. */
const MANY_MILLISECONDS = 200;
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
  #registering = false;
  /** Since when the next batch is one over very many tables. */
  #manyAt: number | null = null;
  #heartbeatAt = 0;
  #fence = ZERO_LSN;
  #fenceAt = Number.NEGATIVE_INFINITY;
  #heardAt = performance.now();
  #failure: unknown = null;

  constructor(options: ChangeStreamOptions) {
    const { connection, writer, producer, lanes } = options;
    this.#options = options;
    this.#loggedTruncates = options.truncatesLogged ? new LoggedTruncates() : null;
    const limits = { events: options.batchEvents, bytes: BATCH_BYTES, bytesPerLane: LANE_BYTES };
    this.#builder = new BatchBuilder(lanes, limits, writer.state.lsn);
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
  async run(): Promise<void> {
    const { signal } = this.#options;
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

  message(lsn: number | bigint, bytes: Buffer, start: number, end: number): boolean {
    const message = this.#decoder.decode(bytes, start, end);
    const untaken = this.#take(message, lsn);
    if (untaken) {
      this.#registerThenResume(untaken);
      return false;
    }
    if (message.type === 'commit') {
      this.#heardAt = performance.now();
      if (this.#builder.fence > this.#fence) {
        this.#fence = this.#builder.fence;
        this.#fenceAt = this.#heardAt;
      }
      this.#wake.notify();
    }
    if (!this.#paused && this.#builder.bytes + this.#publisher.bytes >= IN_FLIGHT_BYTES) {
      this.#paused = true;
      this.#options.connection.pause();
      this.#wake.notify();
    }
    return true;
  }

  keepalive(walEnd: Lsn, replyRequested: boolean): void {
    this.#heardAt = performance.now();
    this.#assembler.reached(walEnd);
    if (!this.#assembler.inTransaction) this.#builder.reached(walEnd);
    if (replyRequested) this.#acknowledger.send(false);
    this.#wake.notify();
  }

  /** The table that has to be registered before the message can be taken; null: it is taken. */
  #take(message: PgoutputMessage, lsn: number | bigint): StreamedTable | null {
    const log = this.#loggedTruncates;
    if (log === null) return this.#assembler.take(message, lsn);
    const before = log.before(message);
    if (before !== null) {
      const untaken = this.#assembler.take(before, lsn);
      if (untaken) return untaken;
      log.taken();
    }
    return log.takes(message) ? null : this.#assembler.take(message, lsn);
  }

  /** The first event of a table, or of a shape that it had before: it waits until its schema is registered. */
  #registerThenResume(table: StreamedTable): void {
    const { connection, lanes, signal } = this.#options;
    this.#registering = true;
    connection.pause();
    lanes.register(table, signal).then(
      () => {
        this.#registering = false;
        this.#heardAt = performance.now();
        if (!this.#paused && !signal.aborted) connection.resume();
      },
      (error: unknown) => {
        if (!signal.aborted) this.#fail(error);
      },
    );
  }

  async #step(): Promise<void> {
    if (this.#isDue()) {
      await this.#publishNext();
    } else {
      await this.#heartbeat();
      this.#checkAlive();
      await this.#wake.within(this.#lookMilliseconds());
    }
    this.#resumeWithRoom();
  }

  /** A transaction that comes alone goes at once; what comes while it is not counted yet goes together. */
  #isDue(): boolean {
    if (!this.#builder.waiting) return false;
    return this.#builder.urgent || (this.#publisher.inFlight === 0 && this.#fillMilliseconds() === 0);
  }

  /** Left of the time that a batch over very many tables may fill. */
  #fillMilliseconds(): number {
    if (!this.#builder.ofMany) return 0;
    const now = performance.now();
    this.#manyAt ??= now;
    return Math.max(0, this.#manyAt + MANY_MILLISECONDS - now);
  }

  #lookMilliseconds(): number {
    const look = this.#inFenceWindow() ? FENCE_LOOK_MILLISECONDS : LOOK_MILLISECONDS;
    const isFilling = this.#builder.ofMany && this.#publisher.inFlight === 0;
    return isFilling ? Math.min(look, this.#fillMilliseconds()) : look;
  }

  async #publishNext(): Promise<void> {
    const batch = this.#builder.take();
    this.#manyAt = null;
    if (!batch) return;
    await this.#publisher.publish(batch);
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
    if (!this.#registering) this.#options.connection.resume();
  }

  #inFenceWindow(): boolean {
    return performance.now() - this.#fenceAt < FENCE_WINDOW_MILLISECONDS;
  }

  #checkAlive(): void {
    if (this.#paused || this.#registering || performance.now() - this.#heardAt < SILENCE_MILLISECONDS) return;
    this.#fail(new SluiceError('SOURCE_STREAM_ENDED', 'the source is silent, although it was asked to answer'));
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#wake.notify();
  }
}
