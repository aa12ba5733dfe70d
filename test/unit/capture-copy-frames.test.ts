import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CopyFrames } from '../../services/capture/stream/copy-frames.ts';
import { cutUp, message } from '../support/wire-messages.ts';

const body = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
const messages = fc.array(fc.record({ kind: fc.constantFrom('d', 'd', 'd', 'c', 'S'), body }), { maxLength: 20 });
const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 20 });
/** Which of the takes are refused, and after which the reader is paused. */
const moods = fc.array(fc.constantFrom('take', 'take', 'take', 'pause', 'refuse'), { minLength: 1, maxLength: 20 });

test('messages come whole and in order, however they are cut and wherever the taker pauses', () => {
  fc.assert(
    fc.property(messages, sizes, moods, (sent, sizes, moods) => {
      const got: { kind: string; body: string }[] = [];
      const socket = new Duplex({ read: () => undefined, write: (_bytes, _encoding, done) => done() });
      socket.on('data', (bytes: Buffer) => got.push({ kind: String.fromCharCode(bytes[0]!), body: hex(bytes, 5) }));
      let looks = 0;
      let paused = false;
      const pause = () => {
        paused = true;
        frames.pause();
      };
      const take = (bytes: Buffer, start: number, end: number) => {
        const mood = moods[looks++ % moods.length];
        if (mood !== 'take') pause();
        if (mood === 'refuse') return false;
        got.push({ kind: 'd', body: hex(bytes.subarray(0, end), start) });
        return true;
      };
      const frames = new CopyFrames(socket, take, (error) => {
        throw error;
      });
      // Into the same memory each time, as a socket that reads in place.
      const memory = Buffer.alloc(60);
      for (const piece of cutUp(Buffer.concat(sent.map(({ kind, body }) => message(kind, body))), sizes)) {
        piece.copy(memory);
        socket.emit('data', memory.subarray(0, piece.length));
        for (let tries = 0; paused && tries < 1000; tries++) {
          if (moods.every((mood) => mood === 'refuse')) moods = ['take'];
          paused = false;
          frames.resume();
        }
        memory.fill(0);
      }
      expect(got).toEqual(sent.map(({ kind, body }) => ({ kind, body: hex(body, 0) })));
    }),
    { numRuns: 1000 },
  );
});

function hex(bytes: Buffer, from: number): string {
  return bytes.subarray(from).toString('hex');
}
