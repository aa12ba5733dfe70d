import { SluiceError } from '../errors.ts';
import type { RegistrySettings } from '../task/task.ts';
import { avroSchema, shapeOfSchema } from './avro-schema.ts';
import type { EventOrigin, TableShape } from './change-event.ts';
import { type DecodedEvent, EnvelopeDecoder } from './event-decoder.ts';
import { EnvelopeEncoder, type EventEncoder, WIRE_HEADER_BYTES } from './event-encoder.ts';
import { EventScanner } from './event-scanner.ts';
import { openRegistry, type RegistryClient } from './registry-client.ts';

export type { DecodedEvent, EventEncoder };

/** So many requests go to the registry at once. */
export const REGISTRY_REQUESTS = 8;

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
  /** Reads events of one schema as far as they are needed: the schema of the value that starts at `at` of `bytes`. */
  scanner(bytes: Buffer, at: number, end: number): Promise<EventScanner> | EventScanner;
}

/** `origin`: who writes; only a codec that encodes needs it. */
export function openCodec(settings: RegistrySettings, origin?: EventOrigin): EventCodec {
  return new RegistryCodec(openRegistry(settings), origin);
}

class RegistryCodec implements EventCodec {
  readonly #registry: RegistryClient;
  readonly #origin: EventOrigin | undefined;
  readonly #encoders = new Map<string, Promise<EventEncoder>>();
  /** Schemas that were registered here, by id: they need not be asked for. */
  readonly #registered = new Map<number, string>();
  readonly #scanners = new Map<number, EventScanner>();
  readonly #loading = new Map<number, Promise<EventScanner>>();

  constructor(registry: RegistryClient, origin: EventOrigin | undefined) {
    this.#registry = registry;
    this.#origin = origin;
  }

  async encoder(shape: TableShape, topic: string): Promise<EventEncoder> {
    if (!this.#origin) throw new SluiceError('INTERNAL', 'a codec without an origin cannot encode');
    const schema = avroSchema(this.#origin.task, shape);
    const key = `${topic}\n${schema}`;
    const known = this.#encoders.get(key);
    if (known !== undefined) return await known;
    const origin = this.#origin;
    const registered = this.#registry.register(`${topic}-value`, schema).then((id) => {
      this.#registered.set(id, schema);
      return new EnvelopeEncoder(shape, id, origin);
    });
    this.#encoders.set(key, registered);
    registered.catch(() => this.#encoders.delete(key));
    return await registered;
  }

  decode(value: Buffer): Promise<DecodedEvent> | DecodedEvent {
    const scanner = this.scanner(value, 0, value.length);
    return scanner instanceof Promise
      ? scanner.then(({ decoder }) => decoder.decode(value))
      : scanner.decoder.decode(value);
  }

  scanner(bytes: Buffer, at: number, end: number): Promise<EventScanner> | EventScanner {
    if (end - at < WIRE_HEADER_BYTES || bytes[at] !== 0) {
      throw new SluiceError('SEGMENT_BROKEN', 'a record of a table topic does not begin with a schema id');
    }
    const id = bytes.readUInt32BE(at + 1);
    return this.#scanners.get(id) ?? this.#firstScanner(id);
  }

  #firstScanner(id: number): Promise<EventScanner> {
    const loading = this.#loading.get(id) ?? this.#load(id);
    this.#loading.set(id, loading);
    return loading;
  }

  async #load(id: number): Promise<EventScanner> {
    try {
      const schema = this.#registered.get(id) ?? (await this.#registry.schema(id));
      const scanner = new EventScanner(new EnvelopeDecoder(shapeOfSchema(schema, id)));
      this.#scanners.set(id, scanner);
      return scanner;
    } finally {
      this.#loading.delete(id);
    }
  }
}
