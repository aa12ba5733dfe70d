import fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { decodeFrequent } from '../../shared/envelope/frequent-records.ts';
import {
  decodeManifestRecord,
  encodeManifestRecord,
  type ManifestRecord,
  manifestRecord,
} from '../../shared/envelope/manifest.ts';
import { lsnFromBigint } from '../../shared/postgres/lsn.ts';

/** Batches and heartbeats are written and read by hand: as the codec of all kinds does it, and as strictly. */

const number = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });
const count = fc.nat(2 ** 32 - 1);
const lsn = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(lsnFromBigint);
const header = { incarnation: fc.string(), epoch: fc.uuid(), at: number, lsn };
const named = fc.oneof(
  fc.constant({}),
  number.map((checkpoint) => ({ checkpoint })),
);
const complete = fc.record({ xid: count, commitLsn: lsn, endLsn: lsn, commitTime: number });
const segment = fc.record({
  topic: fc.string(),
  partition: count,
  offset: number,
  count: count.map((n) => n + 1),
  crc32c: count,
});
const batch = fc.record({
  kind: fc.constant('batch'),
  ...header,
  batch: number,
  first: number,
  last: number,
  transactions: count,
  complete: fc.option(complete),
  open: fc.option(fc.record({ xid: count })),
  closes: fc.option(count),
  bytes: count,
  segments: fc.array(segment, { maxLength: 3 }),
});
const heartbeat = fc.record({ kind: fc.constant('heartbeat'), ...header });
const frequent = fc
  .tuple(fc.oneof(batch, heartbeat), named)
  .map(([record, checkpoint]) => ({ ...record, ...checkpoint }) as ManifestRecord);

function byCodec(parsed: unknown): unknown {
  const decoded = z.safeDecode(manifestRecord, parsed as z.input<typeof manifestRecord>);
  return decoded.success ? decoded.data : 'refused';
}

function decoded(parsed: unknown): unknown {
  try {
    return decodeManifestRecord(Buffer.from(JSON.stringify(parsed)), 0n);
  } catch {
    return 'refused';
  }
}

test('what is written by hand is read alike by hand and by the codec', () => {
  fc.assert(
    fc.property(frequent, (record) => {
      const parsed: unknown = JSON.parse(String(encodeManifestRecord(record)));
      expect(parsed).toEqual(JSON.parse(JSON.stringify(z.encode(manifestRecord, record))));
      expect(decodeFrequent(parsed)).toEqual(record);
      expect(byCodec(parsed)).toEqual(record);
    }),
  );
});

test('a field of another form is refused as the codec refuses it, and one too many is passed over', () => {
  const odd = fc.constantFrom<unknown>(
    '',
    '-1',
    '1.5',
    '1e3',
    'G/0',
    '0/0/0',
    '7',
    ' 7',
    7,
    -7,
    1.5,
    1e300,
    true,
    null,
    {},
    [],
  );
  const anyPath = fc.array(fc.nat(30), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(frequent, anyPath, fc.option(odd, { nil: undefined }), (record, path, value) => {
      const parsed = JSON.parse(String(encodeManifestRecord(record))) as Record<string, unknown>;
      change(parsed, path, value);
      expect(decoded(parsed)).toEqual(byCodec(JSON.parse(JSON.stringify(parsed))));
      expect(decoded({ ...parsed, more: value })).toEqual(byCodec(JSON.parse(JSON.stringify(parsed))));
    }),
    { numRuns: 1000 },
  );
}, 60_000);

/** Follows the path as far as there are objects, and puts `value` there; undefined removes. */
function change(target: Record<string, unknown>, [step = 0, ...path]: readonly number[], value: unknown): void {
  const keys = Object.keys(target);
  const key = keys[step % keys.length];
  if (key === undefined) return;
  const inner = target[key];
  const deeper = path.length > 0 && typeof inner === 'object' && inner !== null;
  if (deeper) change(inner as Record<string, unknown>, path, value);
  else if (value === undefined) delete target[key];
  else target[key] = value;
}
