import avro from 'avsc';

/** What the checks need of an event. */
export interface WireEvent {
  readonly op: string;
  readonly before: Readonly<Record<string, unknown>> | null;
  readonly after: Readonly<Record<string, unknown>> | null;
  readonly source: {
    readonly schema: string;
    readonly table: string;
    readonly incarnation: string;
    readonly epoch: string;
    readonly position: bigint;
    readonly ordinal: bigint;
    readonly txId: bigint;
    readonly commit_lsn: string;
    readonly unchanged: readonly string[];
    readonly before_columns: readonly string[] | null;
    readonly moved: boolean;
  };
  readonly transaction: {
    readonly id: string;
    readonly total_order: bigint;
    readonly data_collection_order: bigint;
  } | null;
  readonly truncate: {
    readonly tables: readonly { readonly schema: string; readonly table: string }[];
    readonly restart_identity: boolean;
  } | null;
}

/** 64 bits exactly. */
const long = avro.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    return bytes;
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (one: bigint, other: bigint) => (one < other ? -1 : Number(one > other)),
});

/** Decodes values in Confluent's format, with the schemas that the registry gives for their ids. */
export class EventDecoder {
  readonly #registry: string;
  readonly #types = new Map<number, Promise<avro.Type>>();

  constructor(registry: string) {
    this.#registry = registry;
  }

  async decode(value: Buffer): Promise<WireEvent> {
    if (value[0] !== 0) throw new Error('no Avro in the wire format of the registry');
    const id = value.readUInt32BE(1);
    const known = this.#types.get(id) ?? this.#fetch(id);
    this.#types.set(id, known);
    return (await known).fromBuffer(value.subarray(5)) as WireEvent;
  }

  async #fetch(id: number): Promise<avro.Type> {
    const response = await fetch(`${this.#registry}/schemas/ids/${id}`);
    if (!response.ok) throw new Error(`the registry has no schema ${id}: status ${response.status}`);
    const { schema } = (await response.json()) as { schema: string };
    return avro.Type.forSchema(JSON.parse(schema) as avro.Schema, { registry: { long }, wrapUnions: false });
  }
}
