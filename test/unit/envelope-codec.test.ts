import avro from 'avsc';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { avroSchema, shapeOfSchema } from '../../shared/envelope/avro-schema.ts';
import { type ChangeEvent, type ColumnValue, type TableShape, UNKNOWN } from '../../shared/envelope/change-event.ts';
import { EnvelopeDecoder } from '../../shared/envelope/event-decoder.ts';
import { EnvelopeEncoder, UNAVAILABLE } from '../../shared/envelope/event-encoder.ts';
import { EventScanner } from '../../shared/envelope/event-scanner.ts';
import type { PackedEvent } from '../../shared/envelope/packed-event.ts';
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
  // Names are no part of the bytes; an object of avsc's cannot have a property of this one.
  const schema = JSON.parse(avroSchema('shop', shape), (_, value) => (value === '__proto__' ? 'column_proto' : value));
  const type = avro.Type.forSchema(schema, { registry: { long }, wrapUnions: false });
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

const exact = fc.bigInt({ min: 0n, max: 2n ** 52n - 1n });

function scanned(scanner: EventScanner, value: Buffer, before = 0): PackedEvent {
  const bytes = Buffer.concat([Buffer.alloc(before), value, Buffer.from([1, 2, 3])]);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return scanner.scan(bytes, view, before, before + value.length);
}

describe('an event that is only scanned', () => {
  test('is the event that is decoded, whatever came before it', () => {
    fc.assert(
      fc.property(event, base, exact, fc.nat({ max: 9 }), (event, other, position, before) => {
        const scanner = new EventScanner(new EnvelopeDecoder(event.shape));
        const next = { ...event, ...other, position } as ChangeEvent;
        for (const written of [origin, { ...origin, epoch: 'e-2' }, origin]) {
          for (const expected of [{ ...event, position: 7n } as ChangeEvent, next]) {
            const value = encodeEvent(new EnvelopeEncoder(event.shape, 1, written), expected);
            const packed = scanned(scanner, value, before);
            expect(packed).toMatchObject({ op: expected.op, position: Number(expected.position), size: value.length });
            expect(packed.commitLsn).toBe(Number(expected.transaction.commitLsn));
            expect(packed.transaction).toEqual(expected.transaction);
            expect(packed.moved).toBe(expected.op === 'd' && expected.moved);
            expect(packed.before?.tuple() ?? null).toEqual(expected.before);
            expect(packed.after?.tuple() ?? null).toEqual(expected.after);
            expect(packed.unpack()).toEqual(expected);
            expect(scanner.attempt).toMatchObject({ epoch: written.epoch, incarnation: 'i-1' });
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test('has equal keys exactly where the texts of the key columns are equal', () => {
    const rows = sample.chain(({ shape, row }) =>
      fc.tuple(
        fc.constant(shape),
        fc.array(fc.tuple(...row), { minLength: 2, maxLength: 2 }),
        fc.subarray([...shape.columns.keys()], { minLength: 1 }),
        fc.boolean(),
        base,
      ),
    );
    fc.assert(
      fc.property(rows, exact, ([shape, [one, other], key, same, base], position) => {
        const scanner = new EventScanner(new EnvelopeDecoder(shape));
        const second = other!.map((value, index) => (same && key.includes(index) ? one![index]! : value));
        const keys = [one!, second].map((after) => {
          const event = { ...base, position, shape, op: 'c', before: null, after } as ChangeEvent;
          return scanned(scanner, encodeEvent(new EnvelopeEncoder(shape, 1, origin), event)).after!.key(key);
        });
        const texts = [one!, second].map((row) => key.map((index) => row[index] ?? null));
        expect(keys.map((found) => found === null)).toEqual(texts.map((text) => text.includes(null)));
        if (!keys.includes(null))
          expect(keys[0] === keys[1]).toBe(JSON.stringify(texts[0]) === JSON.stringify(texts[1]));
      }),
      { numRuns: 500 },
    );
  });

  test('cut or lengthened by a byte, or at a position that no number holds, is refused', () => {
    fc.assert(
      fc.property(event, exact, (event, position) => {
        const scanner = new EventScanner(new EnvelopeDecoder(event.shape));
        const broken = expect.objectContaining({ code: 'SEGMENT_BROKEN' });
        const encoder = new EnvelopeEncoder(event.shape, 1, origin);
        const value = encodeEvent(encoder, { ...event, position });
        expect(() => scanned(scanner, value.subarray(0, -1)).unpack()).toThrow(broken);
        expect(() => scanned(scanner, Buffer.concat([value, Buffer.alloc(1)])).unpack()).toThrow(broken);
        const late = encodeEvent(encoder, { ...event, position: 2n ** 52n + position });
        expect(() => scanned(scanner, late)).toThrow(broken);
      }),
    );
  });
});
