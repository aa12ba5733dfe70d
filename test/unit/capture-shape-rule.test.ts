import { describe, expect, test } from 'vitest';
import type { Relation } from '../../services/capture/stream/pgoutput-message.ts';
import { shapeRule } from '../../services/capture/stream/shape-rule.ts';
import type { StreamedTable } from '../../services/capture/stream/streamed-table.ts';
import type { TableRead } from '../../shared/envelope/fold.ts';
import { ZERO_LSN } from '../../shared/postgres/lsn.ts';

const column = { name: 'n', typeOid: 20, typmod: -1, type: 'bigint', key: false };
const shape = { schema: 's', name: 't', oid: 7, identity: 'default', columns: [column] } as const;
const table: StreamedTable = { shape, topic: 'x.s.t', partitions: 1 };

function relation(change: Partial<Relation['columns'][number]> = {}): Relation {
  return { ...shape, columns: [{ key: false, name: 'n', typeOid: 20, typmod: -1, ...change }] };
}

const transaction = (xid: number) => ({ xid, commitLsn: ZERO_LSN, commitTime: 0n });
const seenBelow = (xmax: bigint) => ({ kind: 'ordinary' as const, visibility: { xmin: xmax, xmax, running: [] } });

function ruleWith({ catalog = 100n, read = null as bigint | null, readsRows = true }) {
  const totals = { generation: 1n, epoch: 'e', chunks: 0, rows: 0n, upTo: ZERO_LSN };
  const entry: TableRead = {
    ...{ schema: 's', name: 't', ...totals },
    state: read === null ? 'reading' : 'read',
    snapshot: read === null ? null : seenBelow(read),
  };
  const typeNames = new Map([[23, 'integer']]);
  return shapeRule({ readsRows, catalog: seenBelow(catalog), reads: new Map([['"s"."t"', entry]]), typeNames });
}

describe('which shapes of a table the stream may describe', () => {
  test("this attempt's, whatever the transaction", () => {
    expect(ruleWith({})(table, relation(), transaction(500))).toBe(table);
  });

  test('an older one, of what the catalog saw, while the table is not read: one table for all of its events', () => {
    const rule = ruleWith({});
    const older = rule(table, relation({ typeOid: 23 }), transaction(99));
    expect(older.shape.columns[0]).toEqual({ ...column, typeOid: 23, type: 'integer' });
    expect(older.topic).toBe(table.topic);
    expect(rule(table, relation({ typeOid: 23 }), transaction(50))).toBe(older);
  });

  test('a newer one ends the attempt while the table is not read, and the task after that', () => {
    const int = relation({ typeOid: 23 });
    expect(() => ruleWith({})(table, int, transaction(100))).toThrow(
      expect.objectContaining({ code: 'SOURCE_TABLE_RESHAPED' }),
    );
    const changed = expect.objectContaining({ code: 'SOURCE_TABLE_CHANGED' });
    expect(() => ruleWith({ read: 80n })(table, int, transaction(100))).toThrow(changed);
    expect(() => ruleWith({ readsRows: false })(table, int, transaction(100))).toThrow(changed);
  });

  test('once read, what the read saw decides, not the catalog', () => {
    const int = relation({ typeOid: 23 });
    expect(ruleWith({ read: 80n })(table, int, transaction(79)).shape.columns[0]?.typeOid).toBe(23);
    expect(() => ruleWith({ read: 80n })(table, int, transaction(85))).toThrow('has another type');
  });

  test('other names never', () => {
    expect(() => ruleWith({})(table, relation({ name: 'm' }), transaction(1))).toThrow(
      expect.objectContaining({ code: 'SOURCE_TABLE_CHANGED' }),
    );
  });
});
