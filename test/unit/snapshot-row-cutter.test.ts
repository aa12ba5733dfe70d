import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OversizedRow } from '../../services/capture/snapshot/oversized-row.ts';
import { RowCutter } from '../../services/capture/snapshot/row-cutter.ts';

/** Rows as COPY text: no newline byte inside. */
const row = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 0x0a)));
const pieces = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 20 });

/** The text in pieces of the given sizes, over and over. */
function cutUp(text: Buffer, sizes: readonly number[]): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0, i = 0; at < text.length; i += 1) {
    const size = sizes[i % sizes.length] ?? 1;
    parts.push(text.subarray(at, at + size));
    at += size;
  }
  return parts;
}

function chunksOf(text: Buffer, sizes: readonly number[], target: number) {
  const cutter = new RowCutter(target);
  const chunks = cutUp(text, sizes).flatMap((part) => cutter.push(part) ?? []);
  return [...chunks, ...[cutter.end()].filter((chunk) => chunk !== null)];
}

test('chunks are whole rows, together the text, each row counted once', () => {
  fc.assert(
    fc.property(fc.array(row, { maxLength: 30 }), pieces, fc.integer({ min: 1, max: 100 }), (rows, sizes, target) => {
      const text = Buffer.concat(rows.flatMap((bytes) => [bytes, Buffer.from('\n')]));
      const chunks = chunksOf(text, sizes, target);
      expect(Buffer.concat(chunks.map(({ bytes }) => bytes))).toEqual(text);
      expect(chunks.reduce((sum, chunk) => sum + chunk.rows, 0)).toBe(rows.length);
      for (const { bytes, rows: count } of chunks) {
        expect(bytes.at(-1)).toBe(0x0a);
        expect(bytes.filter((byte) => byte === 0x0a).length).toBe(count);
      }
    }),
  );
});

test('a chunk is no larger than the target or one row, and one push', () => {
  fc.assert(
    fc.property(fc.array(row, { maxLength: 30 }), pieces, fc.integer({ min: 1, max: 100 }), (rows, sizes, target) => {
      const text = Buffer.concat(rows.flatMap((bytes) => [bytes, Buffer.from('\n')]));
      const largest = Math.max(target, ...rows.map((bytes) => bytes.length + 1)) + Math.max(...sizes);
      for (const { bytes } of chunksOf(text, sizes, target)) expect(bytes.length).toBeLessThanOrEqual(largest);
    }),
  );
});

test('a row larger than the target is not cut', () => {
  const cutter = new RowCutter(10);
  expect(cutter.push(Buffer.from('ab\nlong long'))?.bytes.toString()).toBe('ab\n');
  expect(cutter.push(Buffer.from(' long long long'))).toBeNull();
  expect(cutter.size).toBe('long long long long long'.length);
  expect(cutter.push(Buffer.from(' row\nnext'))).toEqual({
    bytes: Buffer.from('long long long long long row\n'),
    rows: 1,
  });
  expect(cutter.size).toBe('next'.length);
});

test('a row that is too large is measured, and its key kept, however it is cut up', () => {
  fc.assert(
    fc.property(pieces, (sizes) => {
      const text = Buffer.from(`${'x'.repeat(50)}\tsecond\t17\t\\N\nnext\trow\n`);
      const row = new OversizedRow([1, 2, 3]);
      for (const piece of cutUp(text, sizes)) if (row.push(piece)) break;
      expect({ bytes: row.bytes, key: row.key }).toEqual({ bytes: 63, key: '["second","17",null]' });
    }),
  );
});
