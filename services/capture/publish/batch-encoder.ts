import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EventCodec } from '../../../shared/envelope/codec.ts';
import type { EventEncoder } from '../../../shared/envelope/event-encoder.ts';
import { partitionOf } from '../../../shared/envelope/partitioner.ts';
import { rowKey } from '../../../shared/envelope/row-key.ts';
import { SluiceError } from '../../../shared/errors.ts';
import type { OutgoingRecord } from '../../../shared/kafka/interfaces.ts';
import { quoteTable } from '../../../shared/postgres/identifiers.ts';
import { formatLsn } from '../../../shared/postgres/lsn.ts';
import type { RoutedEvent, StreamedTable } from '../stream/streamed-table.ts';

/** Longest time that encoding holds the event loop, in milliseconds: statuses and keepalives go on in between. */
const SLICE = 10;
const EVENTS_BETWEEN_LOOKS = 32;

/** Of a record in its batch: key and framing. */
const RECORD_ROOM = 64 * 1024;

export interface BatchEncoderOptions {
  readonly codec: EventCodec;
  readonly tables: Iterable<StreamedTable>;
  /** A larger event stops the task. */
  readonly maxMessageBytes: number;
}

/** Turns events into records: row key, partition, Avro. */
export class BatchEncoder {
  readonly #codec: EventCodec;
  readonly #encoders: Map<StreamedTable, EventEncoder>;
  readonly #maxMessageBytes: number;

  private constructor({ codec, maxMessageBytes }: BatchEncoderOptions, encoders: Map<StreamedTable, EventEncoder>) {
    this.#codec = codec;
    this.#encoders = encoders;
    this.#maxMessageBytes = maxMessageBytes;
  }

  /**
   * Registers the schemas of all tables.
   * @throws SluiceError REGISTRY_UNREACHABLE, REGISTRY_REFUSED
   */
  static async open(options: BatchEncoderOptions): Promise<BatchEncoder> {
    const { codec, tables } = options;
    const encoders = new Map<StreamedTable, EventEncoder>();
    for (const table of tables) encoders.set(table, await codec.encoder(table.shape, table.topic));
    return new BatchEncoder(options, encoders);
  }

  /** @throws SluiceError KAFKA_RECORD_TOO_LARGE naming table, key and size; REGISTRY_UNREACHABLE, REGISTRY_REFUSED */
  async encode(events: readonly RoutedEvent[]): Promise<OutgoingRecord[]> {
    const records: OutgoingRecord[] = [];
    let since = performance.now();
    for (const routed of events) {
      const encoder = this.#encoders.get(routed.table) ?? (await this.#register(routed.table));
      records.push(this.#record(encoder, routed));
      if (records.length % EVENTS_BETWEEN_LOOKS === 0 && performance.now() - since > SLICE) {
        await nextTurn();
        since = performance.now();
      }
    }
    return records;
  }

  /** A shape that the table had before. */
  async #register(table: StreamedTable): Promise<EventEncoder> {
    const encoder = await this.#codec.encoder(table.shape, table.topic);
    this.#encoders.set(table, encoder);
    return encoder;
  }

  #record(encoder: EventEncoder, routed: RoutedEvent): OutgoingRecord {
    const { event, table, partition } = routed;
    const row = event.op === 'd' ? event.before : event.after;
    const key = row === null ? null : rowKey(table.shape, row);
    const value = encoder.encode(event);
    const limit = this.#maxMessageBytes;
    if (value.length > limit - RECORD_ROOM) throw tooLarge(routed, { key, bytes: value.length, limit });
    return { topic: table.topic, partition: partition ?? partitionOf(key, table.partitions), key, value };
  }
}

interface Size {
  readonly key: string | null;
  readonly bytes: number;
  readonly limit: number;
}

function tooLarge({ event, table }: RoutedEvent, { key, bytes, limit }: Size): SluiceError {
  const name = quoteTable(table.shape);
  const row = key === null ? 'a row without a key' : `the row with key ${key}`;
  const commitLsn = formatLsn(event.transaction.commitLsn);
  return new SluiceError(
    'KAFKA_RECORD_TOO_LARGE',
    `${row} of ${name} makes an event of ${bytes} bytes, commit LSN ${commitLsn}; kafka.maxMessageBytes allows ${limit}`,
    { context: { table: name, key: key ?? undefined, bytes, limit, commitLsn } },
  );
}
