import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MessageWriter } from '../../services/sink-postgres/apply/messages.ts';

interface Message {
  readonly type: string;
  readonly body: Buffer;
}

/** As a server cuts them: a type, and a length that counts itself. */
function messagesIn(bytes: Buffer): Message[] {
  const messages: Message[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readInt32BE(at + 1);
    messages.push({ type: String.fromCharCode(bytes[at]!), body: bytes.subarray(at + 5, at + 1 + length) });
    at += 1 + length;
  }
  return messages;
}

/** Name of the statement and values of a Bind. */
function bound(body: Buffer): { name: string; values: (string | null)[] } {
  expect(body[0]).toBe(0);
  const nameEnd = body.indexOf(0, 1);
  const name = body.toString('utf8', 1, nameEnd);
  expect(body.readInt16BE(nameEnd + 1)).toBe(0);
  const count = body.readInt16BE(nameEnd + 3);
  let at = nameEnd + 5;
  const values = Array.from({ length: count }, () => {
    const length = body.readInt32BE(at);
    at += 4;
    if (length === -1) return null;
    at += length;
    return body.toString('utf8', at - length, at);
  });
  expect(body.subarray(at)).toEqual(Buffer.from([0, 0]));
  return { name, values };
}

function written(write: (messages: MessageWriter) => void): Buffer {
  const parts: Buffer[] = [];
  const messages = new MessageWriter((bytes) => parts.push(bytes));
  write(messages);
  messages.sync();
  return Buffer.concat(parts);
}

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.constantFrom(1_000, 2_047, 32_767, 32_768, 70_000, 200_000).map((length) => 'ü'.padEnd(length, 'x')),
);
const value = fc.option(fc.tuple(text, fc.boolean()));

test('statements of any size come as they were given, whatever blocks they are written in', () => {
  const statement = fc.record({ text, values: fc.array(value, { maxLength: 6 }) });
  fc.assert(
    fc.property(fc.array(statement, { maxLength: 12 }), (statements) => {
      const bytes = written((messages) => {
        for (const [index, { text, values }] of statements.entries()) {
          messages.prepare(`s${index}`, text);
          messages.bind(
            `s${index}`,
            values.map((each) => each && (each[1] ? Buffer.from(each[0]) : each[0])),
          );
          messages.execute();
        }
      });
      const found = messagesIn(bytes);
      expect(found.map(({ type }) => type).join('')).toBe(`${'CPBE'.repeat(statements.length)}S`);
      for (const [index, { text, values }] of statements.entries()) {
        const [close, parse, bind, execute] = found.slice(index * 4, index * 4 + 4) as [
          Message,
          Message,
          Message,
          Message,
        ];
        expect(close.body.toString()).toBe(`Ss${index}\0`);
        expect(parse.body.toString()).toBe(`s${index}\0${text}\0\0\0`);
        expect(bound(bind.body)).toEqual({ name: `s${index}`, values: values.map((each) => each?.[0] ?? null) });
        expect(execute.body).toEqual(Buffer.from([0, 0, 0, 0, 0]));
      }
    }),
    { numRuns: 60 },
  );
});

test('what a COPY reads is one message, and its end', () => {
  const data = Buffer.alloc(100_000, 'x');
  const found = messagesIn(written((messages) => messages.copy(data)));
  expect(found.map(({ type }) => type).join('')).toBe('dcS');
  expect(found[0]?.body).toEqual(data);
});
