import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { avroSchema } from '../../shared/envelope/avro-schema.ts';
import { decodeManifestRecord, manifestRecord } from '../../shared/envelope/manifest.ts';
import { tableTopic } from '../../shared/kafka/topic-names.ts';
import { topicConfiguration } from '../../shared/kafka/topic-settings.ts';

/** docs/topics-and-envelope.md is what others build on: it must name all that stands on the wire. */
const doc = readFileSync(new URL('../../docs/topics-and-envelope.md', import.meta.url), 'utf8');

test('every kind of manifest record is described, with each of its fields', () => {
  const shared = new Set(['kind', 'incarnation', 'epoch', 'at', 'lsn', 'checkpoint']);
  for (const { shape } of manifestRecord.options) {
    const [kind] = shape.kind.values;
    const row = doc.split('\n').find((line) => line.startsWith(`| \`${kind}\` |`));
    expect(row, kind).toBeDefined();
    for (const field of Object.keys(shape))
      if (!shared.has(field)) expect(row, kind).toMatch(new RegExp(`\`${field}[ \`]`));
  }
});

test('every field of an event is described', () => {
  const column = { name: 'n', typeOid: 23, typmod: -1, type: 'integer', key: true };
  const table = { schema: 's', name: 't', oid: 1, identity: 'default', columns: [column] } as const;
  const fields = (name: string, type: unknown): string[] => {
    const record = [type].flat().find((part) => (part as { fields?: unknown })?.fields) as {
      fields?: { name: string; type: unknown }[];
    };
    return [name, ...(record?.fields ?? []).flatMap((field) => fields(field.name, field.type))];
  };
  const schema = JSON.parse(avroSchema('task', table));
  const value = schema.fields[0].type[1];
  for (const field of schema.fields
    .slice(1)
    .flatMap((each: { name: string; type: unknown }) => fields(each.name, each.type))) {
    expect(doc).toMatch(new RegExp(`[\`.{ ]${field}[\`,} ]`));
  }
  for (const annotation of [...Object.keys(value), ...Object.keys(value.fields[0])].filter((key) =>
    key.startsWith('pg.'),
  )) {
    expect(doc).toContain(`\`${annotation}\``);
  }
});

test('its example of a manifest record is one, and its topic names are right', () => {
  const example = /\{"kind": "batch"[\s\S]*?\]\}/.exec(doc)![0];
  expect(decodeManifestRecord(Buffer.from(example), 41n)).toMatchObject({ kind: 'batch', at: 41n, batch: 17n });
  expect(doc).toContain(tableTopic('shop', { schema: 'my_app', name: 'Größe' }));
});

test('the settings of topics are all named', () => {
  for (const setting of Object.keys(topicConfiguration({ replicationFactor: 3, maxMessageBytes: 1 }))) {
    expect(doc).toContain(`\`${setting}`);
  }
});
