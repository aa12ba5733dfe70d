import { expect, test } from 'vitest';
import { publishSchema } from '../../services/capture/schema/publish-schema.ts';
import { readSchemaObjects } from '../../services/capture/schema/schema-reader.ts';
import { decodeSchemaObject } from '../../shared/envelope/schema-object.ts';
import { schemaTopic } from '../../shared/kafka/topic-names.ts';
import { testContext } from '../support/context.ts';
import { readingTask } from './snapshot-reading-task.ts';

test('the objects stand in the topic in their order, and the manifest lists them', async () => {
  await using ctx = await testContext();
  await ctx.source.query(
    `CREATE TABLE "a ""b" (id int PRIMARY KEY, v text DEFAULT 'é 😀');
    CREATE TABLE own (id int PRIMARY KEY); ALTER TABLE own REPLICA IDENTITY FULL;
    CREATE TABLE set_by_sluice (a int); ALTER TABLE set_by_sluice REPLICA IDENTITY FULL`,
  );
  // Enough of them for more than one send.
  await ctx.source.query(
    `DO $$ BEGIN FOR i IN 1..60 LOOP EXECUTE format('CREATE TABLE many_%s (%s)', i,
      (SELECT string_agg(format('a_column_of_some_length_%s int DEFAULT %s', k, k), ', ') FROM generate_series(1, 200) k));
    END LOOP; END $$`,
  );
  const reading = await readingTask(ctx);
  const keeper = await reading.keeper();
  await ctx.source.query('CREATE TABLE later (a int)');
  const manifest = await reading.attempt();
  const { epoch } = manifest.state;
  if (!epoch) return expect.unreachable();
  const changed = { schema: 'public', name: 'set_by_sluice', was: 'd', index: null } as const;
  manifest.state.epoch = { ...epoch, replicaIdentities: [changed] };
  await publishSchema({ ...reading, keeper, manifest });

  const fetcher = await reading.kafka.fetcher();
  ctx.defer(() => fetcher.close());
  const record = manifest.state.schema;
  expect(record?.segments.length).toBeGreaterThan(1);
  expect(new Set(record?.segments.map(({ topic }) => topic))).toEqual(new Set([schemaTopic(ctx.task)]));
  const fetched = await fetcher.ranges(record?.segments ?? [], new AbortController().signal);
  const published = fetched.flat().map(({ value }) => decodeSchemaObject(value));
  expect(published).toHaveLength(record?.objects ?? 0);
  expect(published.map(({ number }) => number)).toEqual(published.map((_, i) => i));
  for (const object of published)
    expect(object).toMatchObject({ epoch: manifest.epoch, incarnation: manifest.incarnation });

  const read = await keeper.read((client) => readSchemaObjects(client, reading.task));
  const identity = (table: string) => `ALTER TABLE ONLY "public"."${table}" REPLICA IDENTITY FULL`;
  expect(read.map(({ sql }) => sql)).toContain(identity('set_by_sluice'));
  const expected = read.map(({ sql }) => sql).filter((sql) => sql !== identity('set_by_sluice'));
  expect(published.map(({ sql }) => sql)).toEqual(expected);
  expect(expected).toContain(identity('own'));
  expect(expected.filter((sql) => sql.includes('"later"'))).toEqual([]);
});
