import { describe, expect, test } from 'vitest';
import { PgoutputDecoder } from '../../services/capture/stream/pgoutput-decoder.ts';
import { UNKNOWN } from '../../shared/envelope/change-event.ts';
import { isSluiceError } from '../../shared/errors.ts';
import { valuesOf } from '../support/outgoing-events.ts';
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

/** What the decoder says, with values in place of tuples. */
function decoded(decoder: PgoutputDecoder, message: Buffer, start?: number, end?: number) {
  const found = decoder.decode(message, start, end);
  return {
    ...found,
    ...('after' in found ? { after: valuesOf(found.after) } : {}),
    ...('before' in found ? { before: found.before && valuesOf(found.before) } : {}),
  };
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
    expect(decoded(decoder, bytes.insert(orders.oid, ['1', '']))).toMatchObject({ type: 'insert', after: ['1', ''] });
    expect(decoded(decoder, bytes.insert(orders.oid, ['1', null]))).toMatchObject({ after: ['1', null] });
    expect(decoded(decoder, bytes.update(orders.oid, ['1', undefined]))).toMatchObject({
      type: 'update',
      before: null,
      after: ['1', UNKNOWN],
    });
  });

  test('text of every length and alphabet, ASCII or not, beside each other', () => {
    const decoder = decoderOfOrders();
    for (const text of ['é', '😀 x', 'a'.repeat(127), 'b'.repeat(128), 'c'.repeat(70_000), '\ufffd', 'ä\ufffd']) {
      expect(decoded(decoder, bytes.insert(orders.oid, ['1', text]))).toMatchObject({ after: ['1', text] });
    }
  });

  test('a key-only old tuple: columns outside the key are unknown, not NULL', () => {
    const decoder = decoderOfOrders();
    expect(decoded(decoder, bytes.remove(orders.oid, 'K', ['1', null]))).toMatchObject({ before: ['1', UNKNOWN] });
    expect(decoded(decoder, bytes.remove(orders.oid, 'O', ['1', null]))).toMatchObject({ before: ['1', null] });
    const moved = bytes.update(orders.oid, ['2', 'x'], { kind: 'K', fields: ['1', null] });
    expect(decoded(decoder, moved)).toMatchObject({ before: ['1', UNKNOWN], after: ['2', 'x'] });
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

  test('decodes from the middle of a larger buffer', () => {
    const decoder = decoderOfOrders();
    const message = Buffer.concat([Buffer.alloc(25), bytes.insert(orders.oid, ['1', 'note']), Buffer.alloc(7, 0x74)]);
    expect(decoded(decoder, message, 25, message.length - 7)).toMatchObject({ after: ['1', 'note'] });
  });

  test('what is cut, too long, of unknown kind or of an undescribed relation is refused', () => {
    const whole = bytes.insert(orders.oid, ['1', 'note']);
    for (let length = 1; length < whole.length; length++) {
      expect(codeOf(() => decoderOfOrders().decode(whole.subarray(0, length)))).toBe('SOURCE_PROTOCOL');
      expect(codeOf(() => decoderOfOrders().decode(whole, 0, length))).toBe('SOURCE_PROTOCOL');
    }
    expect(codeOf(() => decoderOfOrders().decode(Buffer.concat([whole, Buffer.from([0])])))).toBe('SOURCE_PROTOCOL');
    expect(codeOf(() => decoderOfOrders().decode(Buffer.from('S')))).toBe('SOURCE_PROTOCOL');
    expect(codeOf(() => decoderOfOrders().decode(Buffer.alloc(0)))).toBe('SOURCE_PROTOCOL');
    expect(codeOf(() => new PgoutputDecoder().decode(whole))).toBe('SOURCE_PROTOCOL');
    expect(codeOf(() => decoderOfOrders().decode(bytes.insert(orders.oid, ['1'])))).toBe('SOURCE_PROTOCOL');
  });
});
