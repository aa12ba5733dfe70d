import { SluiceError } from '../errors.ts';
import type { RegistrySettings } from '../task/task.ts';
import { avroSchema, shapeOfSchema } from './avro-schema.ts';
import type { EventOrigin, TableShape } from './change-event.ts';
import { type DecodedEvent, EnvelopeDecoder } from './event-decoder.ts';
import { EnvelopeEncoder, type EventEncoder, WIRE_HEADER_BYTES } from './event-encoder.ts';
import { openRegistry, type RegistryClient } from './registry-client.ts';

export type { DecodedEvent, EventEncoder };

/** Change events to and from the values of Kafka records, with schemas kept by the registry. */
export interface EventCodec {
  /**
   * Registers the table's schema under `<topic>-value`, once.
   * @throws SluiceError REGISTRY_UNREACHABLE, REGISTRY_REFUSED
   */
  encoder(shape: TableShape, topic: string): Promise<EventEncoder>;
  /**
   * A promise only for the first event of a schema. All events of a schema have the same shape object, and
   * neighbours of one transaction the same transaction object.
   * @throws SluiceError SEGMENT_BROKEN, REGISTRY_UNREACHABLE, REGISTRY_REFUSED
   */
  decode(value: Buffer): Promise<DecodedEvent> | DecodedEvent;
}

/** `origin`: who writes; only a codec that encodes needs it. */
export function openCodec(settings: RegistrySettings, origin?: EventOrigin): EventCodec {
  return new RegistryCodec(openRegistry(settings), origin);
}

class RegistryCodec implements EventCodec {
  readonly #registry: RegistryClient;
  readonly #origin: EventOrigin | undefined;
  readonly #encoders = new Map<string, EventEncoder>();
  readonly #decoders = new Map<number, EnvelopeDecoder>();

  constructor(registry: RegistryClient, origin: EventOrigin | undefined) {
    this.#registry = registry;
    this.#origin = origin;
  }

  async encoder(shape: TableShape, topic: string): Promise<EventEncoder> {
    if (!this.#origin) throw new SluiceError('INTERNAL', 'a codec without an origin cannot encode');
    const schema = avroSchema(this.#origin.task, shape);
    const key = `${topic}\n${schema}`;
    const known = this.#encoders.get(key);
    if (known) return known;
    const id = await this.#registry.register(`${topic}-value`, schema);
    const encoder = new EnvelopeEncoder(shape, id, this.#origin);
    this.#encoders.set(key, encoder);
    return encoder;
  }

  decode(value: Buffer): Promise<DecodedEvent> | DecodedEvent {
    if (value.length < WIRE_HEADER_BYTES || value[0] !== 0) {
      throw new SluiceError('SEGMENT_BROKEN', 'a record of a table topic does not begin with a schema id');
    }
    const id = value.readUInt32BE(1);
    const decoder = this.#decoders.get(id);
    return decoder ? decoder.decode(value) : this.#decodeFirst(id, value);
  }

  async #decodeFirst(id: number, value: Buffer): Promise<DecodedEvent> {
    const shape = shapeOfSchema(await this.#registry.schema(id), id);
    const decoder = this.#decoders.get(id) ?? new EnvelopeDecoder(shape);
    this.#decoders.set(id, decoder);
    return decoder.decode(value);
  }
}
