import { randomUUID } from 'node:crypto';
import { expect, inject, test } from 'vitest';
import type { ChangeEvent, TableShape } from '../../shared/envelope/change-event.ts';
import { openCodec } from '../../shared/envelope/codec.ts';
import { lsnFromBigint } from '../../shared/postgres/lsn.ts';
import { EventDecoder } from '../support/avro-events.ts';
import { encodeEvent } from '../support/outgoing-events.ts';

const registry = inject('servers').registry;
const origin = { task: 'codec', incarnation: 'i', epoch: 'e', database: 'db', timeline: 1 };
const failure = (code: string) => expect.objectContaining({ code });
const topic = () => `codec-${randomUUID().slice(0, 8)}.public.t`;

function tableOf(...columns: [name: string, type: string, oid: number][]): TableShape {
  return {
    ...{ schema: 'öffentlich', name: 'Bestell positionen', oid: 16_401, identity: 'default' },
    columns: columns.map(([name, type, typeOid], index) => ({
      name,
      type,
      typeOid,
      typmod: 655_366,
      key: index === 0,
    })),
  };
}

const small = tableOf(['id', 'bigint', 20], ['größe', 'numeric(10,2)', 1700], ['1st', 'bytea', 17]);
const transaction = { xid: 4_000_000_000, commitLsn: lsnFromBigint(0x16b374d848n), commitTime: 1_795_416_088_403_123n };
const event: ChangeEvent = {
  ...{ shape: small, transaction, lsn: lsnFromBigint(5n), position: 9n, ordinal: 3n, totalOrder: 2n, tableOrder: 1n },
  ...{ op: 'c', before: null, after: ['9223372036854775807', '12.50', '\\xff'] },
};

test('an event is read by who knows only the registry, Sluice and an independent reader', async () => {
  const encoder = await openCodec({ url: registry }, origin).encoder(small, topic());
  const value = encodeEvent(encoder, event);
  const reader = openCodec({ url: `${registry}/` });
  const { event: decoded, ...writer } = await reader.decode(value);
  expect(decoded).toEqual(event);
  expect(writer).toEqual({ epoch: 'e', incarnation: 'i', timeline: 1 });
  const again = reader.decode(value);
  expect(again).not.toBeInstanceOf(Promise);
  expect((await again).event.shape).toBe(decoded.shape);
  expect(await new EventDecoder(registry).decode(value)).toMatchObject({
    op: 'c',
    after: { id: 9_223_372_036_854_775_807n, gr_xc3_xb6_xc3_x9fe: '12.50', _x31st: Buffer.from([0xff]) },
    source: { schema: 'öffentlich', table: 'Bestell positionen', commit_lsn: '16/B374D848' },
  });
});

test('a table may change in any way between two starts', async () => {
  const name = topic();
  const other = tableOf(['code', 'text', 25], ['größe', 'boolean', 16]);
  const [first, second] = [openCodec({ url: registry }, origin), openCodec({ url: registry }, origin)];
  const before = encodeEvent(await first.encoder(small, name), event);
  const changed: ChangeEvent = { ...event, shape: other, after: ['x', 't'] } as ChangeEvent;
  const after = encodeEvent(await second.encoder(other, name), changed);
  const same = encodeEvent(await second.encoder(small, name), event);
  expect(same.readUInt32BE(1)).toBe(before.readUInt32BE(1));
  expect(after.readUInt32BE(1)).not.toBe(before.readUInt32BE(1));
  const reader = openCodec({ url: registry });
  expect((await reader.decode(before)).event).toEqual(event);
  expect((await reader.decode(after)).event).toEqual(changed);
  expect(await (await fetch(configOf(name))).json()).toMatchObject({ compatibilityLevel: 'NONE' });
});

function configOf(topic: string): string {
  return `${registry}/config/${encodeURIComponent(`${topic}-value`)}`;
}

test('a compatibility that somebody set stays, and its refusal is said', async () => {
  const name = topic();
  await openCodec({ url: registry }, origin).encoder(small, name);
  const config = configOf(name);
  const headers = { 'content-type': 'application/json' };
  await fetch(config, { method: 'PUT', headers, body: JSON.stringify({ compatibility: 'FULL' }) });
  const incompatible = tableOf(['id', 'boolean', 16], ['größe', 'boolean', 16]);
  await expect(openCodec({ url: registry }, origin).encoder(incompatible, name)).rejects.toEqual(
    failure('REGISTRY_REFUSED'),
  );
  expect(await (await fetch(config)).json()).toMatchObject({ compatibilityLevel: 'FULL' });
});

test('what is no event of ours is refused', async () => {
  const reader = openCodec({ url: registry });
  expect(() => reader.decode(Buffer.from('x'))).toThrow(failure('SEGMENT_BROKEN'));
  expect(() => reader.decode(Buffer.from('{"op":"c"}'))).toThrow(failure('SEGMENT_BROKEN'));
  await expect(reader.decode(Buffer.from([0, 0x7f, 0xff, 0xff, 0xff, 0]))).rejects.toEqual(failure('REGISTRY_REFUSED'));
});

test('a registry that is not there is named', async () => {
  const unreachable = openCodec({ url: 'http://127.0.0.1:1/apis' }, origin);
  const named = { code: 'REGISTRY_UNREACHABLE', message: expect.stringContaining('127.0.0.1:1') };
  await expect(unreachable.encoder(small, topic())).rejects.toEqual(expect.objectContaining(named));
});
