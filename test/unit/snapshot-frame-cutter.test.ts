import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameCutter, PIECE_BYTES } from '../../services/capture/snapshot/frame-cutter.ts';
import { OversizedRow } from '../../services/capture/snapshot/oversized-row.ts';
import { ChunkBuffers, type RowChunk } from '../../services/capture/snapshot/row-chunk.ts';
import { cutUp, message } from '../support/wire-messages.ts';

/** Rows as COPY text: no newline byte inside. */
const row = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 0x0a)));
const rowsOf = fc.array(row, { maxLength: 30 });
const pieces = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 20 });
const LARGEST = 1000;

const rowMessage = (bytes: Buffer | string) => message('d', Buffer.concat([Buffer.from(bytes), Buffer.from('\n')]));
const response = message('H', '\0\0\0');
const end = Buffer.concat([message('c', ''), message('C', 'COPY 1\0'), message('Z', 'I')]);

/** What was pushed in pieces, as it came out; the chunks' bytes as they are when the next piece was pushed. */
class Cutting {
  readonly chunks: { bytes: Buffer; rows: number }[] = [];
  readonly cutter: FrameCutter;
  #other = Buffer.alloc(0);
  #held: RowChunk[] = [];

  constructor(target: number, largest = LARGEST, keyColumns: number[] = []) {
    const buffers = new ChunkBuffers(target + 2 * PIECE_BYTES, 2);
    this.cutter = new FrameCutter(
      { target, largest, keyColumns, buffers },
      {
        chunk: (chunk) => this.#held.push(chunk),
        other: (bytes) => {
          this.#other = Buffer.concat([this.#other, bytes]);
        },
      },
    );
  }

  get other(): Buffer {
    return this.#other;
  }

  push(bytes: Buffer, sizes: readonly number[]): this {
    for (const part of cutUp(bytes, sizes)) {
      this.cutter.push(part);
      for (const chunk of this.#held.splice(0)) {
        this.chunks.push({ bytes: Buffer.from(chunk.bytes), rows: chunk.rows });
        // Whoever releases a chunk may not read it again: its memory serves the next one.
        chunk.bytes.fill(0);
        chunk.release();
      }
    }
    return this;
  }
}

test('chunks are whole rows, together the text, each row counted once; all else is handed on', () => {
  fc.assert(
    fc.property(rowsOf, pieces, fc.integer({ min: 1, max: 100 }), fc.nat(), (rows, sizes, target, place) => {
      const notice = message('N', 'SNOTICE\0\0');
      const messages = [response, ...rows.map(rowMessage)];
      messages.splice(1 + (place % messages.length), 0, notice);
      const { chunks, other, cutter } = new Cutting(target).push(Buffer.concat([...messages, end]), sizes);
      const text = Buffer.concat(rows.flatMap((bytes) => [bytes, Buffer.from('\n')]));
      expect(Buffer.concat(chunks.map(({ bytes }) => bytes))).toEqual(text);
      expect(chunks.reduce((sum, chunk) => sum + chunk.rows, 0)).toBe(rows.length);
      for (const { bytes, rows: count } of chunks) {
        expect(bytes.at(-1)).toBe(0x0a);
        expect(bytes.filter((byte) => byte === 0x0a).length).toBe(count);
      }
      expect({ ended: cutter.ended, other }).toEqual({ ended: true, other: Buffer.concat([response, notice, end]) });
    }),
  );
});

test('a chunk is at least the target unless it is the last, and less than the target, one row and one piece', () => {
  fc.assert(
    fc.property(rowsOf, pieces, fc.integer({ min: 1, max: 100 }), (rows, sizes, target) => {
      const { chunks } = new Cutting(target).push(Buffer.concat([...rows.map(rowMessage), end]), sizes);
      const bound = target + Math.max(0, ...rows.map((bytes) => bytes.length + 1)) + Math.max(...sizes);
      for (const { bytes } of chunks) expect(bytes.length).toBeLessThan(bound);
      for (const { bytes } of chunks.slice(0, -1)) expect(bytes.length).toBeGreaterThanOrEqual(target);
    }),
  );
});

test('rows of any size next to the size of a buffer come through whole, in chunks of no more than is said', () => {
  const size = fc.integer({ min: 0, max: 4 * PIECE_BYTES });
  const read = fc.integer({ min: PIECE_BYTES / 4, max: 3 * PIECE_BYTES });
  fc.assert(
    fc.property(
      fc.array(size, { maxLength: 8 }),
      read,
      fc.integer({ min: 1, max: PIECE_BYTES }),
      (sizes, by, target) => {
        const rows = sizes.map((bytes, i) => Buffer.alloc(bytes, 'abcdefgh'[i]));
        const { chunks } = new Cutting(target, 8 * PIECE_BYTES).push(Buffer.concat([...rows.map(rowMessage), end]), [
          by,
        ]);
        const text = Buffer.concat(rows.flatMap((bytes) => [bytes, Buffer.from('\n')]));
        expect(Buffer.concat(chunks.map(({ bytes }) => bytes)).equals(text)).toBe(true);
        const largest = target + Math.max(0, ...sizes) + 1 + PIECE_BYTES;
        for (const { bytes } of chunks) expect(bytes.length).toBeLessThan(largest);
        expect(chunks.reduce((sum, chunk) => sum + chunk.rows, 0)).toBe(rows.length);
      },
    ),
    { numRuns: 50 },
  );
});

test('a row larger than the target is not cut', () => {
  const rows = ['ab', 'long long long long long row', 'next'];
  const { chunks } = new Cutting(10).push(Buffer.concat([...rows.map(rowMessage), end]), [7]);
  expect(chunks.map(({ bytes }) => bytes.toString())).toEqual(['ab\nlong long long long long row\n', 'next\n']);
});

test('after an error of the server nothing of the bytes is taken', () => {
  const error = message('E', 'SERROR\0\0');
  const { chunks, other, cutter } = new Cutting(10).push(Buffer.concat([rowMessage('ab'), error]), [3]);
  expect(chunks.map(({ bytes }) => bytes.toString())).toEqual(['ab\n']);
  expect({ ended: cutter.ended, other }).toEqual({ ended: true, other: error });
});

test('a row without a line end is refused', () => {
  expect(() => new Cutting(10).push(message('d', 'no end'), [100])).toThrow('without a line end');
  expect(() => new Cutting(10).push(message('d', ''), [100])).toThrow('without a line end');
});

test('a row that is too large is measured, and its key kept, however it is cut up', () => {
  fc.assert(
    fc.property(pieces, (sizes) => {
      const text = `${'x'.repeat(50)}\tsecond\t17\t\\N`;
      const messages = [rowMessage('first'), rowMessage(text), rowMessage('next\trow')];
      const { oversized } = new Cutting(10, 60, [1, 2, 3]).push(Buffer.concat(messages), sizes).cutter;
      expect(oversized).toBeInstanceOf(OversizedRow);
      expect({ bytes: oversized?.bytes, key: oversized?.key }).toEqual({ bytes: 63, key: '["second","17",null]' });
    }),
  );
});

test('a row is held only when it may be carried', () => {
  const cutting = new Cutting(10, 60);
  const begun = message('d', Buffer.alloc(1 << 20)).subarray(0, 1000);
  cutting.push(begun, [100]);
  expect(cutting.cutter.oversized).toBeNull();
  expect(cutting.chunks).toEqual([]);
});
