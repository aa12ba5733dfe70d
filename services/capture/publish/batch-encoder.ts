import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EventCodec } from '../../../shared/envelope/codec.ts';
import type { EventEncoder } from '../../../shared/envelope/event-encoder.ts';
import { partitionOf } from '../../../shared/envelope/partitioner.ts';
import { rowKey } from '../../../shared/envelope/row-key.ts';
import type { OutgoingRecord } from '../../../shared/kafka/interfaces.ts';
import type { RoutedEvent, StreamedTable } from '../stream/streamed-table.ts';

/** Longest time that encoding holds the event loop, in milliseconds: statuses and keepalives go on in between. */
const SLICE = 10;
const EVENTS_BETWEEN_LOOKS = 32;

/** Turns events into records: row key, partition, Avro. */
export class BatchEncoder {
  readonly #codec: EventCodec;
  readonly #encoders: Map<StreamedTable, EventEncoder>;

  private constructor(codec: EventCodec, encoders: Map<StreamedTable, EventEncoder>) {
    this.#codec = codec;
    this.#encoders = encoders;
  }

  /**
   * Registers the schemas of all tables.
   * @throws SluiceError REGISTRY_UNREACHABLE, REGISTRY_REFUSED
   */
  static async open(codec: EventCodec, tables: Iterable<StreamedTable>): Promise<BatchEncoder> {
    const encoders = new Map<StreamedTable, EventEncoder>();
    for (const table of tables) encoders.set(table, await codec.encoder(table.shape, table.topic));
    return new BatchEncoder(codec, encoders);
  }

  /** @throws SluiceError REGISTRY_UNREACHABLE, REGISTRY_REFUSED */
  async encode(events: readonly RoutedEvent[]): Promise<OutgoingRecord[]> {
    const records: OutgoingRecord[] = [];
    let since = performance.now();
    for (const routed of events) {
      const encoder = this.#encoders.get(routed.table) ?? (await this.#register(routed.table));
      records.push(record(encoder, routed));
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
}

function record(encoder: EventEncoder, { event, table, partition }: RoutedEvent): OutgoingRecord {
  const row = event.op === 'd' ? event.before : event.after;
  const key = row === null ? null : rowKey(table.shape, row);
  return {
    topic: table.topic,
    partition: partition ?? partitionOf(key, table.partitions),
    key,
    value: encoder.encode(event),
  };
}
