import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  deadLetterTopic,
  manifestTopic,
  parseTopic,
  schemaTopic,
  snapshotTopic,
  tableTopic,
} from '../../shared/kafka/topic-names.ts';

const task = fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/);
const tricky = fc.array(fc.constantFrom('_', '.', '-', 'a', '5f', '2d', 'A', ' ', 'é', '表', '"', '-h'), {
  minLength: 1,
  maxLength: 8,
});
const name = fc.oneof(
  fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' }),
  tricky.map((parts) => parts.join('')),
);
const place = fc.record({ task, schema: name, name });

const collapsed = (topic: string) => topic.replaceAll('.', '_');

describe('topic names', () => {
  test('are what people expect for plain names', () => {
    expect(tableTopic('shop', { schema: 'public', name: 'order_lines' })).toBe('shop.public.order_lines');
    expect(tableTopic('shop', { schema: 'my_app', name: 'a-b' })).toBe('shop.my-_app.a-2db');
    expect(tableTopic('shop', { schema: 'public', name: 'Größe' })).toBe('shop.public.Gr-c3-b6-c3-9fe');
  });

  test('can be read back', () => {
    fc.assert(
      fc.property(place, ({ task, schema, name }) => {
        const topic = tableTopic(task, { schema, name });
        fc.pre(topic.length < 249);
        expect(parseTopic(topic)).toEqual({ kind: 'table', task, table: { schema, name } });
      }),
    );
    expect(parseTopic(manifestTopic('a-b'))).toEqual({ kind: 'manifest', task: 'a-b' });
    expect(parseTopic(snapshotTopic('a-b'))).toEqual({ kind: 'snapshot', task: 'a-b' });
    expect(parseTopic(schemaTopic('a-b'))).toEqual({ kind: 'schema', task: 'a-b' });
    expect(parseTopic(deadLetterTopic('a-b', 'main'))).toEqual({ kind: 'dead-letter', task: 'a-b', sink: 'main' });
    expect(parseTopic('something')).toBeNull();
    expect(parseTopic('some.thing')).toBeNull();
  });

  test('are legal for Kafka', () => {
    fc.assert(
      fc.property(
        task,
        fc.string({ minLength: 1, maxLength: 63 }),
        fc.string({ minLength: 1, maxLength: 63 }),
        (t, s, n) => {
          expect(tableTopic(t, { schema: s, name: n })).toMatch(/^[a-zA-Z0-9._-]{1,249}$/);
        },
      ),
    );
  });

  test('stay apart, also where Kafka takes . and _ for the same', () => {
    const differ = (a: string, b: string) => expect(collapsed(a)).not.toBe(collapsed(b));
    fc.assert(
      fc.property(place, place, (a, b) => {
        fc.pre(a.task !== b.task || a.schema !== b.schema || a.name !== b.name);
        differ(tableTopic(a.task, a), tableTopic(b.task, b));
      }),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(place, task, task, (a, t, sink) => {
        const table = tableTopic(a.task, a);
        for (const other of [manifestTopic(t), snapshotTopic(t), schemaTopic(t), deadLetterTopic(t, sink)]) {
          differ(table, other);
        }
      }),
    );
    differ(tableTopic('t', { schema: 'a', name: 'b_c' }), tableTopic('t', { schema: 'a_b', name: 'c' }));
    differ(tableTopic('t', { schema: 'main', name: 'dead-letter' }), deadLetterTopic('t', 'main'));
    differ(tableTopic('t', { schema: 'manifest', name: 'x' }), manifestTopic('t'));
  });

  test('too long ones are cut, stay apart, and say that they cannot be read back', () => {
    const long = 'ü'.repeat(31);
    const one = tableTopic('t', { schema: long, name: `${long}a` });
    const other = tableTopic('t', { schema: long, name: `${long}b` });
    expect(one).toHaveLength(249);
    expect(one).not.toBe(other);
    expect(parseTopic(one)).toBeNull();
  });
});
