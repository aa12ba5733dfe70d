import avro from 'avsc';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { avroSchema, shapeOfSchema } from '../../shared/envelope/avro-schema.ts';
import { type ChangeEvent, type ColumnValue, type TableShape, UNKNOWN } from '../../shared/envelope/change-event.ts';
import { EnvelopeDecoder } from '../../shared/envelope/event-decoder.ts';
import { EnvelopeEncoder, UNAVAILABLE } from '../../shared/envelope/event-encoder.ts';
import { lsnFromBigint } from '../../shared/postgres/lsn.ts';
import { encodeEvent } from '../support/outgoing-events.ts';

const origin = { task: 'shop', incarnation: 'i-1', epoch: 'e-1', database: 'db', timeline: 3 };

/** Types with their texts as PostgreSQL writes them. */
const texts: Record<string, { oid: number; text: fc.Arbitrary<string> }> = {
  boolean: { oid: 16, text: fc.constantFrom('t', 'f') },
  smallint: { oid: 21, text: fc.integer({ min: -32768, max: 32767 }).map(String) },
  integer: { oid: 23, text: fc.integer().map(String) },
  bigint: { oid: 20, text: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String) },
  bytea: { oid: 17, text: fc.uint8Array({ maxLength: 90 }).map((bytes) => `\\x${Buffer.from(bytes).toString('hex')}`) },
  text: { oid: 25, text: fc.string({ unit: 'grapheme', maxLength: 90 }) },
  numeric: { oid: 1700, text: fc.constantFrom('NaN', '0.10', '-Infinity', '123456789012345678901234567890.5') },
};

interface Sample {
  readonly shape: TableShape;
  readonly row: fc.Arbitrary<string | null>[];
}

const name = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
  fc.constantFrom('id', 'größe', '1st', 'a_x41'),
);

const sample: fc.Arbitrary<Sample> = fc
  .record({
    schema: name,
    table: name,
    oid: fc.nat(),
    identity: fc.constantFrom('default', 'nothing', 'full', 'index') as fc.Arbitrary<TableShape['identity']>,
    columns: fc.uniqueArray(
      fc.record({ name, type: fc.constantFrom(...Object.keys(texts)), key: fc.boolean(), typmod: fc.integer() }),
      {
        selector: (column) => column.name,
        minLength: 1,
        maxLength: 12,
      },
    ),
  })
  .map(({ schema, table, oid, identity, columns }) => ({
    shape: {
      schema,
      name: table,
      oid,
      identity,
      columns: columns.map(({ name, type, key, typmod }) => ({ name, type, key, typmod, typeOid: texts[type]!.oid })),
    },
    row: columns.map(({ type }) => fc.option(texts[type]!.text)),
  }));

const lsn = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(lsnFromBigint);
const int63 = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });
const base = fc.record({
  transaction: fc.record({
    xid: fc.nat({ max: 2 ** 32 - 1 }),
    commitLsn: lsn,
    commitTime: fc.bigInt({ min: 0n, max: 2n ** 52n }),
  }),
  lsn,
  position: int63,
  ordinal: int63,
  totalOrder: int63,
  tableOrder: int63,
});

/** A row of which some values are unknown. */
const partly = (row: fc.Arbitrary<string | null>[]): fc.Arbitrary<ColumnValue[]> =>
  fc.tuple(
    ...row.map((value) => fc.oneof({ weight: 4, arbitrary: value }, { weight: 1, arbitrary: fc.constant(UNKNOWN) })),
  ) as fc.Arbitrary<ColumnValue[]>;

const event: fc.Arbitrary<ChangeEvent> = sample.chain(({ shape, row }) => {
  const whole = fc.tuple(...row);
  const some = partly(row);
  return fc.oneof(
    fc
      .record({ after: whole, base })
      .map(({ after, base }): ChangeEvent => ({ ...base, shape, op: 'c', before: null, after })),
    fc
      .record({ before: fc.option(some), after: some, base })
      .map(({ before, after, base }): ChangeEvent => ({ ...base, shape, op: 'u', before, after })),
    fc
      .record({ before: some, moved: fc.boolean(), base })
      .map(({ before, moved, base }): ChangeEvent => ({ ...base, shape, op: 'd', before, after: null, moved })),
    fc
      .record({
        tables: fc.array(fc.record({ schema: name, name }), { maxLength: 4 }),
        restartIdentity: fc.boolean(),
        base,
      })
      .map(
        ({ tables, restartIdentity, base }): ChangeEvent => ({
          ...base,
          shape,
          op: 't',
          before: null,
          after: null,
          truncate: { tables, restartIdentity },
        }),
      ),
  );
});

const long = avro.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: () => Buffer.alloc(8),
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: () => 0,
});

// biome-ignore lint/suspicious/noExplicitAny: whatever an independent reader makes of it
function readByAvsc(shape: TableShape, value: Buffer): any {
  const type = avro.Type.forSchema(JSON.parse(avroSchema('shop', shape)), { registry: { long }, wrapUnions: false });
  return type.fromBuffer(value.subarray(5));
}

describe('an event on the wire', () => {
  test('comes back as it was', () => {
    fc.assert(
      fc.property(event, (event) => {
        const value = encodeEvent(new EnvelopeEncoder(event.shape, 77, origin), event);
        expect(value.readUInt32BE(1)).toBe(77);
        const decoded = new EnvelopeDecoder(event.shape).decode(value);
        expect(decoded).toEqual({ event, epoch: 'e-1', incarnation: 'i-1', timeline: 3 });
        expect(decoded.event.shape).toBe(event.shape);
      }),
      { numRuns: 500 },
    );
  });

  test('is what an independent Avro reader reads with the registered schema', () => {
    fc.assert(
      fc.property(event, (event) => {
        const read = readByAvsc(event.shape, encodeEvent(new EnvelopeEncoder(event.shape, 1, origin), event));
        expect(read.op).toBe(event.op);
        expect(read.source).toMatchObject({
          name: 'shop',
          db: 'db',
          table: event.shape.name,
          position: event.position,
          epoch: 'e-1',
        });
        expect(read.transaction.total_order).toBe(event.totalOrder);
        for (const [index, { type }] of event.shape.columns.entries()) {
          const value = event.after?.[index];
          if (typeof value !== 'string') continue;
          const found = Object.values(read.after as object)[index] as unknown;
          if (type === 'bytea') expect(`\\x${(found as Buffer).toString('hex')}`).toBe(value);
          else if (type === 'boolean') expect(found).toBe(value === 't');
          else expect(String(found)).toBe(value);
        }
      }),
    );
  });

  test('shows other readers the old value, or that it is not available', () => {
    const column = (name: string, key = false) => ({ name, typeOid: 25, typmod: -1, type: 'text', key });
    const shape: TableShape = {
      schema: 's',
      name: 't',
      oid: 1,
      identity: 'full',
      columns: [column('id', true), column('big')],
    };
    const transaction = { xid: 1, commitLsn: lsnFromBigint(5n), commitTime: 0n };
    const event: ChangeEvent = {
      ...{ shape, transaction, lsn: lsnFromBigint(4n), position: 1n, ordinal: 1n, totalOrder: 1n, tableOrder: 1n },
      ...{ op: 'u', before: ['1', 'old'], after: ['1', UNKNOWN] },
    };
    const encoder = new EnvelopeEncoder(shape, 1, origin);
    expect(readByAvsc(shape, encodeEvent(encoder, event))).toMatchObject({
      after: { big: 'old' },
      source: { unchanged: ['big'] },
    });
    expect(readByAvsc(shape, encodeEvent(encoder, { ...event, before: null } as ChangeEvent))).toMatchObject({
      before: null,
      after: { id: '1', big: UNAVAILABLE },
      source: { unchanged: ['big'], before_columns: null },
    });
    const deleted: ChangeEvent = { ...event, op: 'd', before: ['1', UNKNOWN], after: null, moved: true } as ChangeEvent;
    expect(readByAvsc(shape, encodeEvent(encoder, deleted))).toMatchObject({
      before: { id: '1', big: null },
      source: { before_columns: ['id'], moved: true },
    });
  });

  test('cut or lengthened by a byte is refused', () => {
    fc.assert(
      fc.property(event, (event) => {
        const value = encodeEvent(new EnvelopeEncoder(event.shape, 1, origin), event);
        const decoder = new EnvelopeDecoder(event.shape);
        const broken = expect.objectContaining({ code: 'SEGMENT_BROKEN' });
        expect(() => decoder.decode(value.subarray(0, -1))).toThrow(broken);
        expect(() => decoder.decode(Buffer.concat([value, Buffer.alloc(1)]))).toThrow(broken);
      }),
    );
  });

  test('is not mistaken for its neighbour, of another attempt or transaction', () => {
    fc.assert(
      fc.property(event, base, (event, other) => {
        const decoder = new EnvelopeDecoder(event.shape);
        const next = { ...event, ...other } as ChangeEvent;
        const later = { ...origin, epoch: 'e-2', timeline: 4 };
        for (const [expected, written] of [
          [event, origin],
          [next, origin],
          [next, later],
          [event, later],
        ] as const) {
          const value = encodeEvent(new EnvelopeEncoder(event.shape, 1, written), expected);
          expect(decoder.decode(value)).toMatchObject({
            event: expected,
            epoch: written.epoch,
            timeline: written.timeline,
          });
        }
      }),
    );
  });

  test('with a text that its type cannot have is not written', () => {
    const column = { name: 'n', typeOid: 23, typmod: -1, type: 'integer', key: true };
    const shape: TableShape = { schema: 's', name: 't', oid: 1, identity: 'default', columns: [column] };
    const transaction = { xid: 1, commitLsn: lsnFromBigint(5n), commitTime: 0n };
    for (const text of ['', '-', '1.5', 'x', '1 ']) {
      const event: ChangeEvent = {
        ...{ shape, transaction, lsn: lsnFromBigint(4n), position: 1n, ordinal: 1n, totalOrder: 1n, tableOrder: 1n },
        ...{ op: 'c', before: null, after: [text] },
      };
      expect(() => encodeEvent(new EnvelopeEncoder(shape, 1, origin), event)).toThrow(/column n/);
    }
  });
});

describe('a table shape', () => {
  test('is rebuilt from the schema alone, however the registry orders it', () => {
    fc.assert(
      fc.property(sample, ({ shape }) => {
        const schema = avroSchema('shop', shape);
        const reordered = JSON.stringify(JSON.parse(schema, (_, value) => (isObject(value) ? reversed(value) : value)));
        expect(shapeOfSchema(schema, 1)).toEqual(shape);
        expect(shapeOfSchema(reordered, 1)).toEqual(shape);
        avro.Type.forSchema(JSON.parse(schema));
      }),
    );
  });

  test('is not taken from a schema that is not exactly ours', () => {
    const column = { name: 'n', typeOid: 23, typmod: -1, type: 'integer', key: true };
    const schema = avroSchema('shop', { schema: 's', name: 't', oid: 1, identity: 'default', columns: [column] });
    const broken = expect.objectContaining({ code: 'SEGMENT_BROKEN' });
    for (const other of [
      '',
      '"string"',
      schema.replace('"sluice.format":1', '"sluice.format":2'),
      schema.replace('"int"', '"long"'),
    ]) {
      expect(() => shapeOfSchema(other, 1)).toThrow(broken);
    }
  });
});

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function reversed(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).reverse());
}
