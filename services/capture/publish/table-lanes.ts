import { abortable } from '../../../shared/abortable.ts';
import { type EventCodec, type EventEncoder, REGISTRY_REQUESTS } from '../../../shared/envelope/codec.ts';
import type { OutgoingEvent } from '../../../shared/envelope/outgoing-event.ts';
import { partitionOf } from '../../../shared/envelope/partitioner.ts';
import { keyColumns, writeRowKey } from '../../../shared/envelope/row-key.ts';
import { isSluiceError, SluiceError } from '../../../shared/errors.ts';
import { BytePool } from '../../../shared/kafka/byte-pool.ts';
import { GrowingBytes } from '../../../shared/kafka/growing-bytes.ts';
import { quoteTable } from '../../../shared/postgres/identifiers.ts';
import { formatLsn } from '../../../shared/postgres/lsn.ts';
import { severalAtOnce } from '../../../shared/several-at-once.ts';
import type { StreamedTable } from '../stream/streamed-table.ts';
import { Lane } from './lane.ts';

/** Largest record batch of several records. */
const BATCH_BYTES = 8 * 1024 * 1024;
/** Of a record in its batch: key and framing. */
const RECORD_ROOM = 64 * 1024;
/** Of record batches that were sent, kept for the next ones. */
const POOL_BYTES = 16 * 1024 * 1024;

/** The row key of the event at hand. */
const keyBytes = new GrowingBytes(1024);

export interface TableLanesOptions {
  readonly codec: EventCodec;
  /** A larger event stops the task. */
  readonly maxMessageBytes: number;
  /** Called when the registry was away for as long as it may be, once until it is back. */
  readonly onAway: (error: SluiceError) => void;
}

interface Way {
  readonly encoder: EventEncoder;
  readonly key: readonly number[];
  /** By partition. */
  readonly lanes: readonly Lane[];
}

/** How events become records of their topics: row key, partition, Avro. */
export class TableLanes {
  readonly #codec: EventCodec;
  readonly #maxMessageBytes: number;
  readonly #onAway: (error: SluiceError) => void;
  #away = false;
  readonly #pool = new BytePool(POOL_BYTES);
  readonly #ways = new Map<StreamedTable, Way>();
  /** By topic: a table's shapes share them, so that its records stay in order. */
  readonly #lanes = new Map<string, readonly Lane[]>();

  constructor({ codec, maxMessageBytes, onAway }: TableLanesOptions) {
    this.#codec = codec;
    this.#maxMessageBytes = maxMessageBytes;
    this.#onAway = onAway;
  }

  /** Registers the schemas of all tables, until `signal` aborts. @throws SluiceError REGISTRY_REFUSED */
  async registerAll(tables: Iterable<StreamedTable>, signal: AbortSignal): Promise<void> {
    await severalAtOnce(tables, REGISTRY_REQUESTS, async (table) => {
      if (!this.has(table)) await this.register(table, signal);
    });
  }

  has(table: StreamedTable): boolean {
    return this.#ways.has(table);
  }

  /**
   * Waits for a registry that is away: rows may be being read beside, which a new attempt would read again.
   * @throws SluiceError REGISTRY_REFUSED; what `signal` aborts with
   */
  async register(table: StreamedTable, signal: AbortSignal): Promise<void> {
    const encoder = await abortable(this.#encoder(table, signal), signal);
    const lanes = this.#lanes.get(table.topic) ?? this.#makeLanes(table);
    this.#ways.set(table, { encoder, key: keyColumns(table.shape), lanes });
  }

  async #encoder(table: StreamedTable, signal: AbortSignal): Promise<EventEncoder> {
    for (;;) {
      try {
        const encoder = await this.#codec.encoder(table.shape, table.topic);
        this.#away = false;
        return encoder;
      } catch (error) {
        if (!isSluiceError(error, 'REGISTRY_UNREACHABLE') || signal.aborted) throw error;
        if (!this.#away) this.#onAway(error);
        this.#away = true;
      }
    }
  }

  /**
   * Writes the event into its lane; `partition` null: by its row key.
   * @throws SluiceError KAFKA_RECORD_TOO_LARGE naming table, key and size; SOURCE_ENCODING
   */
  write(event: OutgoingEvent, table: StreamedTable, partition: number | null): { lane: Lane; bytes: number } {
    const way = this.#ways.get(table);
    if (!way) throw new SluiceError('INTERNAL', `the schema of ${quoteTable(table.shape)} is not registered`);
    const row = event.op === 'd' ? event.before : event.after;
    keyBytes.at = 0;
    const hasKey = row !== null && writeRowKey(keyBytes, way.key, row);
    const lane = way.lanes[partition ?? this.#partition(way, hasKey)]!;
    const key = hasKey ? { buffer: keyBytes.buffer, length: keyBytes.at } : null;
    const bytes = lane.write(event, way.encoder, key);
    if (bytes > this.#maxMessageBytes - RECORD_ROOM) throw this.#tooLarge(event, { table, hasKey, bytes });
    return { lane, bytes: bytes + keyBytes.at };
  }

  #partition({ lanes }: Way, hasKey: boolean): number {
    if (lanes.length === 1) return 0;
    return partitionOf(hasKey ? keyBytes.buffer.subarray(0, keyBytes.at) : null, lanes.length);
  }

  #makeLanes({ topic, partitions }: StreamedTable): readonly Lane[] {
    const targetBytes = Math.min(BATCH_BYTES, this.#maxMessageBytes);
    const lane = (_: unknown, partition: number) => new Lane({ topic, partition }, targetBytes, this.#pool);
    const lanes = Array.from({ length: partitions }, lane);
    this.#lanes.set(topic, lanes);
    return lanes;
  }

  #tooLarge(event: OutgoingEvent, { table, hasKey, bytes }: { table: StreamedTable; hasKey: boolean; bytes: number }) {
    const key = hasKey ? keyBytes.buffer.toString('utf8', 0, keyBytes.at) : null;
    const limit = this.#maxMessageBytes;
    const name = quoteTable(table.shape);
    const row = key === null ? 'a row without a key' : `the row with key ${key}`;
    const commitLsn = formatLsn(event.transaction.commitLsn);
    return new SluiceError(
      'KAFKA_RECORD_TOO_LARGE',
      `${row} of ${name} makes an event of ${bytes} bytes, commit LSN ${commitLsn}; kafka.maxMessageBytes allows ${limit}`,
      { context: { table: name, key: key ?? undefined, bytes, limit, commitLsn } },
    );
  }
}
