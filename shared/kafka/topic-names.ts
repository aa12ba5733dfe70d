import { createHash } from 'node:crypto';
import type { TableName } from '../postgres/identifiers.ts';

/**
 * Names of a task's topics, built and parsed here only.
 *
 *   task part    [a-z0-9-], as it is                      (the task definition allows no other)
 *   schema part  [A-Za-z0-9] as is, `_` as `-_`, every other UTF-8 byte as `-xx`
 *   table part   [A-Za-z0-9_] as is, every other UTF-8 byte as `-xx`
 *
 * Kafka refuses two topics whose names differ only by `.` and `_`: names stay apart even then, since in task and
 * schema part every `_` follows a `-`. No escaped part is a reserved word with a `-` that hexadecimal does not follow.
 */

const LONGEST = 249;
const HASH_MARK = '-h';
const HASH_DIGITS = 32;

export type ParsedTopic =
  | { readonly kind: 'table'; readonly task: string; readonly table: TableName }
  | { readonly kind: 'manifest' | 'snapshot' | 'schema'; readonly task: string }
  | { readonly kind: 'dead-letter'; readonly task: string; readonly sink: string };

export function tableTopic(task: string, table: TableName): string {
  return shortened(
    `${taskPrefix(task)}${escapePart(table.schema, schemaEscape)}.${escapePart(table.name, byteEscape)}`,
  );
}

export function manifestTopic(task: string): string {
  return `${taskPrefix(task)}manifest`;
}

export function snapshotTopic(task: string): string {
  return `${taskPrefix(task)}snapshot`;
}

export function schemaTopic(task: string): string {
  return `${taskPrefix(task)}schema-changes`;
}

export function deadLetterTopic(task: string, sink: string): string {
  return `${taskPrefix(task)}${sink}.dead-letter`;
}

/** All topics of a task begin with it, and no topic of another task does. */
export function taskPrefix(task: string): string {
  return `${task}.`;
}

/** null: not a topic of Sluice, or a table's name too long to be read back (the manifest's epoch record names each topic). */
export function parseTopic(topic: string): ParsedTopic | null {
  const [task, second, third, ...more] = topic.split('.');
  if (!task || !second || more.length > 0) return null;
  if (third === undefined) return parseReserved(task, second);
  if (third === 'dead-letter') return { kind: 'dead-letter', task, sink: second };
  const schema = unescapePart(second);
  const name = unescapePart(third);
  return schema === null || name === null ? null : { kind: 'table', task, table: { schema, name } };
}

function parseReserved(task: string, word: string): ParsedTopic | null {
  if (word === 'manifest' || word === 'snapshot') return { kind: word, task };
  return word === 'schema-changes' ? { kind: 'schema', task } : null;
}

function escapePart(name: string, escapeByte: (byte: number) => string): string {
  let escaped = '';
  for (const byte of Buffer.from(name)) escaped += isAlphanumeric(byte) ? String.fromCharCode(byte) : escapeByte(byte);
  return escaped;
}

function schemaEscape(byte: number): string {
  return byte === UNDERSCORE ? '-_' : hexEscape(byte);
}

function byteEscape(byte: number): string {
  return byte === UNDERSCORE ? '_' : hexEscape(byte);
}

function hexEscape(byte: number): string {
  return `-${byte.toString(16).padStart(2, '0')}`;
}

function unescapePart(part: string): string | null {
  const bytes: number[] = [];
  for (let at = 0; at < part.length; at++) {
    if (part[at] !== '-') {
      bytes.push(part.charCodeAt(at));
    } else if (part[at + 1] === '_') {
      bytes.push(UNDERSCORE);
      at += 1;
    } else {
      const hex = part.slice(at + 1, at + 3);
      if (!/^[0-9a-f]{2}$/.test(hex)) return null;
      bytes.push(Number.parseInt(hex, 16));
      at += 2;
    }
  }
  return Buffer.from(bytes).toString();
}

const UNDERSCORE = 0x5f;

function isAlphanumeric(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
}

/** `-h` is no escape, so a shortened name equals no other. */
function shortened(topic: string): string {
  if (topic.length <= LONGEST) return topic;
  const hash = createHash('sha256').update(topic).digest('hex').slice(0, HASH_DIGITS);
  return `${topic.slice(0, LONGEST - HASH_MARK.length - HASH_DIGITS)}${HASH_MARK}${hash}`;
}
