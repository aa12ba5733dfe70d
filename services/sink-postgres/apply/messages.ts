/**
 * Messages of PostgreSQL's extended query protocol, parameters and results as text.
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html
 */

const INT32 = 4;
const NULL = -1;

const code = (letter: string) => letter.charCodeAt(0);

/** Without a body. */
const empty = (letter: string) => Buffer.from([code(letter), 0, 0, 0, INT32]);
export const SYNC = empty('S');
export const COPY_DONE = empty('c');
/** Of the unnamed portal, all rows. */
export const EXECUTE = Buffer.from([code('E'), 0, 0, 0, 9, 0, 0, 0, 0, 0]);

/** Forgets the name, which need not be known, and gives it to the statement. */
export function prepareMessages(name: string, text: string): Buffer {
  const close = message('C', 2 + name.length, `S${name}\0`);
  const length = name.length + 1 + Buffer.byteLength(text) + 1 + 2;
  return Buffer.concat([close, message('P', length, `${name}\0${text}\0\0\0`)]);
}

/** The values follow each other in it, large ones as they are given. */
export function bindMessages(name: string, values: readonly (Buffer | null)[]): Buffer[] {
  const length = 1 + name.length + 1 + 2 + 2 + 2 + values.reduce((sum, value) => sum + INT32 + (value?.length ?? 0), 0);
  const head = Buffer.alloc(1 + INT32 + 1 + name.length + 1 + 2 + 2);
  head[0] = code('B');
  head.writeInt32BE(INT32 + length, 1);
  head.write(name, 1 + INT32 + 1, 'latin1');
  head.writeInt16BE(values.length, head.length - 2);
  const parts: Buffer[] = [head];
  for (const value of values) {
    const size = Buffer.alloc(INT32);
    size.writeInt32BE(value?.length ?? NULL);
    parts.push(size);
    if (value) parts.push(value);
  }
  parts.push(Buffer.alloc(2));
  return parts;
}

export function copyDataHeader(length: number): Buffer {
  const head = Buffer.alloc(1 + INT32);
  head[0] = code('d');
  head.writeInt32BE(INT32 + length, 1);
  return head;
}

function message(letter: string, length: number, body: string): Buffer {
  const bytes = Buffer.alloc(1 + INT32 + length);
  bytes[0] = code(letter);
  bytes.writeInt32BE(INT32 + length, 1);
  bytes.write(body, 1 + INT32);
  return bytes;
}
