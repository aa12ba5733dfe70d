import { describe, expect, test } from 'vitest';
import { PgoutputDecoder } from '../../services/capture/stream/pgoutput-decoder.ts';
import { UNKNOWN } from '../../shared/envelope/change-event.ts';
import { isSluiceError } from '../../shared/errors.ts';
import * as bytes from './capture-pgoutput-bytes.ts';

const { orders } = bytes;

function decoderOfOrders(): PgoutputDecoder {
  const decoder = new PgoutputDecoder();
  decoder.decode(bytes.relation(orders));
  return decoder;
}

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (isSluiceError(error)) return error.code;
    throw error;
  }
  return 'no error';
}

describe('pgoutput decoder', () => {
  test('begin and commit: unsigned xid, microseconds since 1970', () => {
    const decoder = new PgoutputDecoder();
    const commitTime = 1_700_000_000_123_456n;
    expect(
      decoder.decode(bytes.begin({ commitLsn: 0xffff_ffff_0000_0001n - (1n << 64n), commitTime, xid: 0xffff_fff0 })),
    ).toEqual({
      type: 'begin',
      commitLsn: 0xffff_ffff_0000_0001n,
      commitTime,
      xid: 4_294_967_280,
    });
    expect(decoder.decode(bytes.commit({ commitLsn: 16n, endLsn: 64n, commitTime }))).toEqual({
      type: 'commit',
      commitLsn: 16n,
      endLsn: 64n,
      commitTime,
    });
  });

  test('a relation: unsigned oid, signed typmod, empty schema is pg_catalog', () => {
    const described = { ...orders, schema: '' };
    expect(new PgoutputDecoder().decode(bytes.relation(described))).toEqual({
      type: 'relation',
      relation: { ...orders, schema: 'pg_catalog', identity: 'default' },
    });
  });

  test('values: text as sent, NULL, empty text and unchanged TOAST stay apart', () => {
    const decoder = decoderOfOrders();
    expect(decoder.decode(bytes.insert(orders.oid, ['1', '']))).toMatchObject({ type: 'insert', after: ['1', ''] });
    expect(decoder.decode(bytes.insert(orders.oid, ['1', null]))).toMatchObject({ after: ['1', null] });
    expect(decoder.decode(bytes.update(orders.oid, ['1', undefined]))).toMatchObject({
      type: 'update',
      before: null,
      after: ['1', UNKNOWN],
    });
  });

  test('text of every length and alphabet, ASCII or not, beside each other', () => {
    const decoder = decoderOfOrders();
    for (const text of ['é', '😀 x', 'a'.repeat(127), 'b'.repeat(128), 'c'.repeat(70_000), '\ufffd', 'ä\ufffd']) {
      expect(decoder.decode(bytes.insert(orders.oid, ['1', text]))).toMatchObject({ after: ['1', text] });
    }
  });

  test('a key-only old tuple: columns outside the key are unknown, not NULL', () => {
    const decoder = decoderOfOrders();
    expect(decoder.decode(bytes.remove(orders.oid, 'K', ['1', null]))).toMatchObject({ before: ['1', UNKNOWN] });
    expect(decoder.decode(bytes.remove(orders.oid, 'O', ['1', null]))).toMatchObject({ before: ['1', null] });
    const moved = bytes.update(orders.oid, ['2', 'x'], { kind: 'K', fields: ['1', null] });
    expect(decoder.decode(moved)).toMatchObject({ before: ['1', UNKNOWN], after: ['2', 'x'] });
  });

  test('truncate and logical messages', () => {
    const decoder = decoderOfOrders();
    expect(decoder.decode(bytes.truncate([orders.oid], 2))).toMatchObject({
      type: 'truncate',
      relations: [{ name: 'orders' }],
      restartIdentity: true,
    });
    expect(decoder.decode(bytes.truncate([orders.oid], 1))).toMatchObject({ restartIdentity: false });
    expect(decoder.decode(bytes.logicalMessage(1, 77n, 'sluice.fence', 'task'))).toEqual({
      type: 'message',
      transactional: true,
      lsn: 77n,
      prefix: 'sluice.fence',
    });
  });

  test('values are copies: the bytes may be reused at once', () => {
    const decoder = decoderOfOrders();
    const message = bytes.insert(orders.oid, ['1', 'a longer text than thirteen characters']);
    const decoded = decoder.decode(message);
    message.fill(0x7a);
    expect(decoded).toMatchObject({ after: ['1', 'a longer text than thirteen characters'] });
  });

  test('decodes from the middle of a larger buffer', () => {
    const decoder = decoderOfOrders();
    const message = Buffer.concat([Buffer.alloc(25), bytes.insert(orders.oid, ['1', 'note'])]);
    expect(decoder.decode(message, 25)).toMatchObject({ after: ['1', 'note'] });
  });

  test('bytes that are not UTF-8 are refused and the column named', () => {
    const decoder = decoderOfOrders();
    const act = () => decoder.decode(bytes.insert(orders.oid, ['1', Buffer.from([0x61, 0xff, 0x62])]));
    expect(codeOf(act)).toBe('SOURCE_ENCODING');
    expect(act).toThrow('column note of public.orders');
  });

  test('what is cut, too long, of unknown kind or of an undescribed relation is refused', () => {
    const whole = bytes.insert(orders.oid, ['1', 'note']);
    for (let length = 1; length < whole.length; length++) {
      expect(codeOf(() => decoderOfOrders().decode(whole.subarray(0, length)))).toBe('SOURCE_PROTOCOL');
    }
    expect(codeOf(() => decoderOfOrders().decode(Buffer.concat([whole, Buffer.from([0])])))).toBe('SOURCE_PROTOCOL');
    expect(codeOf(() => decoderOfOrders().decode(Buffer.from('S')))).toBe('SOURCE_PROTOCOL');
    expect(codeOf(() => decoderOfOrders().decode(Buffer.alloc(0)))).toBe('SOURCE_PROTOCOL');
    expect(codeOf(() => new PgoutputDecoder().decode(whole))).toBe('SOURCE_PROTOCOL');
    expect(codeOf(() => decoderOfOrders().decode(bytes.insert(orders.oid, ['1'])))).toBe('SOURCE_PROTOCOL');
  });
});
