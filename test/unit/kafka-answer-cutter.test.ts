import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AnswerCutter } from '../../shared/kafka/answer-cutter.ts';

function framed(content: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(content.length);
  return Buffer.concat([length, content]);
}

/** What is given away for pieces that end at `cuts` of the bytes; the piece is overwritten after each. */
function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const given: Buffer[] = [];
  const cutter = new AnswerCutter((answer) => given.push(answer));
  const ends = [...cuts.map((at) => at % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  let from = 0;
  for (const end of ends) {
    const piece = Buffer.from(bytes.subarray(from, end));
    cutter.take(piece);
    piece.fill(0xee);
    from = end;
  }
  return given;
}

test('answers come whole, each in a buffer of its own, however they were read', () => {
  const content = fc.uint8Array({ maxLength: 40 });
  fc.assert(
    fc.property(fc.array(content, { maxLength: 8 }), fc.array(fc.nat(400), { maxLength: 20 }), (contents, cuts) => {
      const answers = contents.map(framed);
      expect(cut(Buffer.concat(answers), cuts)).toEqual(answers);
    }),
  );
});

test('what is too large to be an answer is given away as it comes', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(400), { maxLength: 8 }), (cuts) => {
      const small = framed(Buffer.from('small'));
      const page = Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\nno Kafka here');
      expect(Buffer.concat(cut(Buffer.concat([small, page]), cuts))).toEqual(Buffer.concat([small, page]));
      expect(cut(Buffer.concat([small, page]), cuts)[0]).toEqual(small);
    }),
  );
});
