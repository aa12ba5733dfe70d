import { describe, expect, test } from 'vitest';
import { PgoutputDecoder } from '../../services/capture/stream/pgoutput-decoder.ts';
import { shapeRule } from '../../services/capture/stream/shape-rule.ts';
import type { StreamedTable } from '../../services/capture/stream/streamed-table.ts';
import {
  type CommittedTransaction,
  type KnownTransaction,
  TransactionAssembler,
  type TransactionReceiver,
} from '../../services/capture/stream/transaction-assembler.ts';
import { type ReplicaIdentity, UNKNOWN } from '../../shared/envelope/change-event.ts';
import type { TableRead } from '../../shared/envelope/fold.ts';
import { isSluiceError } from '../../shared/errors.ts';
import { type TableName, tableKey } from '../../shared/postgres/identifiers.ts';
import { type Lsn, ZERO_LSN } from '../../shared/postgres/lsn.ts';
import { kept } from '../support/outgoing-events.ts';
import * as bytes from './capture-pgoutput-bytes.ts';

const { orders } = bytes;
const items: bytes.RelationBytes = { ...orders, oid: 17, name: 'items' };
const other: bytes.RelationBytes = { ...orders, oid: 18, name: 'not_selected' };
const identities = { d: 'default', n: 'nothing', f: 'full', i: 'index' } as const satisfies Record<
  string,
  ReplicaIdentity
>;

function streamed(described: bytes.RelationBytes, partitions = 1): StreamedTable {
  const columns = described.columns.map((column) => ({ ...column, type: 'text' }));
  const { oid, schema, name } = described;
  return {
    shape: { oid, schema, name, identity: identities[described.identity], columns },
    topic: `t.${name}`,
    partitions,
  };
}

/** Read, and nothing of the stream is in the read. */
function readOf({ schema, name }: TableName): TableRead {
  const snapshot = { kind: 'slot', consistentPoint: ZERO_LSN } as const;
  const totals = { chunks: 0, rows: 0n, upTo: ZERO_LSN };
  return { schema, name, generation: 1n, epoch: 'e', state: 'read', snapshot, ...totals };
}

/** Runs messages through decoder and assembler; gives events and commits in order. `again`: what must come first. */
function assemble(
  messages: readonly Buffer[],
  tables: readonly StreamedTable[] = [streamed(orders), streamed(items)],
  again: KnownTransaction | null = null,
  takes: TransactionReceiver['takes'] = () => true,
) {
  const events: { event: ReturnType<typeof kept>; table: StreamedTable; partition: number | null }[] = [];
  const commits: CommittedTransaction[] = [];
  const receiver: TransactionReceiver = {
    takes,
    event: (event, table, partition) => events.push({ event: kept(event), table, partition }),
    commit: (transaction) => commits.push(transaction),
  };
  const byOid = new Map(tables.map((table) => [table.shape.oid, table]));
  const nothing = { kind: 'ordinary' as const, visibility: { xmin: 3n, xmax: 3n, running: [] } };
  const reads = new Map(tables.map(({ shape }) => [tableKey(shape), readOf(shape)]));
  const rule = shapeRule({ readsRows: true, catalog: nothing, reads, typeNames: new Map() });
  const assembler = new TransactionAssembler({ tables: byOid, position: 100n, receiver, shapeRule: rule });
  if (again) assembler.expect(again);
  const decoder = new PgoutputDecoder();
  // What is not taken is given again.
  for (const [i, message] of messages.entries()) while (assembler.take(decoder.decode(message), i));
  return { events: events.map(({ event }) => event), routed: events, commits, assembler };
}

const begin = bytes.begin({ commitLsn: 1000n, commitTime: 5n, xid: 9 });
const commit = bytes.commit({ commitLsn: 1000n, endLsn: 1048n, commitTime: 5n });
const described = [bytes.relation(orders), bytes.relation(items), bytes.relation(other)];

describe('transaction assembler', () => {
  test('positions are dense, ordinals count every change as decoded, orders count what is published', () => {
    const { events, commits } = assemble([
      begin,
      ...described,
      bytes.insert(orders.oid, ['1', 'a']),
      bytes.insert(other.oid, ['1', 'left out']),
      bytes.logicalMessage(1, 1n, 'somebody', 'x'),
      bytes.insert(items.oid, ['1', 'b']),
      bytes.insert(orders.oid, ['2', 'c']),
      commit,
    ]);
    expect(
      events.map(({ position, ordinal, totalOrder, tableOrder }) => [position, ordinal, totalOrder, tableOrder]),
    ).toEqual([
      [100, 1, 1, 1],
      [101, 4, 2, 1],
      [102, 5, 3, 2],
    ]);
    expect(events[0]?.transaction).toEqual({ xid: 9, commitLsn: 1000n, commitTime: 5n });
    expect(commits).toEqual([{ xid: 9, commitLsn: 1000n, endLsn: 1048n, commitTime: 5n, fence: false }]);
  });

  test('a key change is a moved delete of the old key, then the update', () => {
    const change = bytes.update(orders.oid, ['2', 'a'], { kind: 'K', fields: ['1', null] });
    const { events } = assemble([begin, ...described, change, commit]);
    expect(events).toMatchObject([
      { op: 'd', moved: true, before: ['1', UNKNOWN], after: null, position: 100, ordinal: 1 },
      { op: 'u', before: ['1', UNKNOWN], after: ['2', 'a'], position: 101, ordinal: 1 },
    ]);
  });

  test('an old key that did not change (sent because it is TOASTed) is no key change, and fills the new tuple', () => {
    const change = bytes.update(orders.oid, [undefined, 'b'], { kind: 'K', fields: ['1', null] });
    const { events } = assemble([begin, ...described, change, commit]);
    expect(events).toMatchObject([{ op: 'u', before: null, after: ['1', 'b'] }]);
  });

  test('under FULL the old row is kept, and a change of the primary key is seen in it', () => {
    const columns = orders.columns.map((column) => ({ ...column, key: true }));
    const full: bytes.RelationBytes = { ...orders, identity: 'f', columns };
    const table = streamed({ ...orders, identity: 'f' });
    const same = bytes.update(orders.oid, ['1', undefined], { kind: 'O', fields: ['1', 'long'] });
    const moved = bytes.update(orders.oid, ['2', 'x'], { kind: 'O', fields: ['1', 'long'] });
    const { events } = assemble([begin, bytes.relation(full), same, moved, commit], [table]);
    expect(events).toMatchObject([
      { op: 'u', before: ['1', 'long'], after: ['1', UNKNOWN] },
      { op: 'd', moved: true, before: ['1', 'long'] },
      { op: 'u', before: ['1', 'long'], after: ['2', 'x'] },
    ]);
  });

  test('truncate: one event in every partition of every selected table, with the whole list', () => {
    const both = bytes.truncate([orders.oid, other.oid, items.oid], 2);
    const { routed } = assemble([begin, ...described, both, commit], [streamed(orders, 3), streamed(items, 1)]);
    expect(routed.map(({ table, partition }) => `${table.topic}/${partition}`)).toEqual([
      't.orders/0',
      't.orders/1',
      't.orders/2',
      't.items/0',
    ]);
    const truncate = {
      restartIdentity: true,
      tables: [
        { schema: 'public', name: 'orders' },
        { schema: 'public', name: 'items' },
      ],
    };
    for (const { event } of routed) expect(event).toMatchObject({ op: 't', ordinal: 1, truncate });
    expect(routed.map(({ event }) => event.position)).toEqual([100, 101, 102, 103]);
  });

  test('a fence counts only when its transaction commits; outside of a transaction it is nothing', () => {
    const fence = bytes.logicalMessage(1, 1n, 'sluice.fence', 'task');
    expect(assemble([begin, fence, commit]).commits).toMatchObject([{ fence: true }]);
    expect(assemble([bytes.logicalMessage(0, 1n, 'sluice.fence', 'task')]).commits).toEqual([]);
  });

  test('what the receiver does not take yet leaves nothing behind, and is taken when it is given again', () => {
    const messages = [
      begin,
      ...described,
      bytes.insert(orders.oid, ['1', 'a']),
      bytes.truncate([items.oid, orders.oid], 0),
      bytes.insert(items.oid, ['2', 'b']),
      commit,
    ];
    let asked = 0;
    const hesitant = assemble(messages, undefined, null, () => asked++ % 4 >= 2);
    expect(hesitant.events).toEqual(assemble(messages).events);
    expect(hesitant.events).toHaveLength(4);
    expect(asked).toBeGreaterThan(4);
  });

  test.each([
    ['renamed', { ...orders, name: 'orders_old' }],
    ['a column more', { ...orders, columns: [...orders.columns, { key: false, name: 'x', typeOid: 23, typmod: -1 }] }],
    ['another type', { ...orders, columns: orders.columns.map((c) => ({ ...c, typeOid: 20 })) }],
    ['another length', { ...orders, columns: orders.columns.map((c) => ({ ...c, typmod: 14 })) }],
    ['a renamed column', { ...orders, columns: orders.columns.map((c) => ({ ...c, name: `${c.name}2` })) }],
    ['another identity', { ...orders, identity: 'f' }],
    ['another key', { ...orders, columns: orders.columns.map((c) => ({ ...c, key: !c.key })) }],
  ] satisfies [string, bytes.RelationBytes][])(
    'a selected table with %s stops before anything of it is taken',
    (_, changed) => {
      try {
        assemble([begin, bytes.relation(changed), bytes.insert(orders.oid, ['1', 'a'])]);
        expect.unreachable();
      } catch (error) {
        expect(isSluiceError(error, 'SOURCE_TABLE_CHANGED')).toBe(true);
      }
    },
  );

  test('a change outside of a transaction, and a commit of another one, are refused', () => {
    expect(() => assemble([...described, bytes.insert(orders.oid, ['1', 'a'])])).toThrow('out of order');
    expect(() => assemble([begin, bytes.commit({ commitLsn: 1n, endLsn: 2n, commitTime: 5n })])).toThrow(
      'out of order',
    );
    expect(() => assemble([begin, begin])).toThrow('out of order');
  });
});

describe('the transaction that was published last, asked for again', () => {
  const known = { commitLsn: 1000n as Lsn, endLsn: 1048n as Lsn, commitTime: 5n };
  const next = [bytes.begin({ commitLsn: 2000n, commitTime: 6n, xid: 10 }), bytes.insert(orders.oid, ['2', 'new'])];
  const nextCommit = bytes.commit({ commitLsn: 2000n, endLsn: 2048n, commitTime: 6n });

  test('is passed over, with what it describes of its tables kept', () => {
    const messages = [begin, ...described, bytes.insert(orders.oid, ['1', 'a']), commit, ...next, nextCommit];
    const { events, commits } = assemble(messages, undefined, known);
    expect(events).toMatchObject([{ position: 100, ordinal: 1, after: ['2', 'new'] }]);
    expect(commits).toMatchObject([{ commitLsn: 2000n }]);
  });

  test.each([
    ['another transaction stands first', [...next, nextCommit], known],
    ['it committed at another time', [begin, commit], { ...known, commitTime: 4n }],
    ['it ends elsewhere', [begin, commit], { ...known, endLsn: 1056n as Lsn }],
  ])('is missed when %s', (_, messages, again) => {
    expect(() => assemble(messages, undefined, again)).toThrow(expect.objectContaining({ code: 'SOURCE_RESTORED' }));
  });

  test('is missed when all up to its end was sent without it', () => {
    const { assembler } = assemble([], undefined, known);
    assembler.reached(1047n as Lsn);
    expect(() => assembler.reached(1048n as Lsn)).toThrow(expect.objectContaining({ code: 'SOURCE_RESTORED' }));
    assemble([begin, commit], undefined, known).assembler.reached(5000n as Lsn);
  });
});
