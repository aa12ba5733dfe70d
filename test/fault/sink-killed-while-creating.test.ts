import { describe, expect, test } from 'vitest';
import { catalogOf } from '../integration/schema-fixtures/catalog.ts';
import { testContext } from '../support/context.ts';
import { Failpoints } from '../support/failpoints.ts';
import { startCapture, startSink } from '../support/sink-scenario.ts';

/** More objects of each section than come in one transaction. */
const source = `
  DO $$ BEGIN FOR i IN 1..70 LOOP
    EXECUTE format('CREATE TABLE t%s (id serial PRIMARY KEY, other int, name text)', i);
    EXECUTE format('CREATE INDEX ON t%s (name)', i);
  END LOOP;
  FOR i IN 1..70 LOOP
    EXECUTE format('ALTER TABLE t%s ADD FOREIGN KEY (other) REFERENCES t%s', i, 1 + i * 7 % 70);
  END LOOP; END $$`;

/** Killed at any instant while it creates objects, a sink goes on where their states say: each is created once. */
describe('sink killed while creating objects', () => {
  test('in each section, one after the other; the last start builds from the topics alone', async () => {
    await using ctx = await testContext();
    await ctx.source.query(source);
    const wanted = await catalogOf(ctx.source);
    await using capture = startCapture(ctx, { types: 'schema' });
    expect(await capture.exit(120_000)).toEqual({ code: 0, signal: null });
    await ctx.source.query('DROP SCHEMA public CASCADE');

    for (const [section, hit] of [
      ['pre-data', 130],
      ['post-data', 90],
      ['foreign-keys', 30],
    ] as const) {
      const point = `sink.in-${section}`;
      await using failpoints = new Failpoints(`${point}=kill@${hit}`);
      await using killed = startSink(ctx, { types: 'schema', env: failpoints.env });
      expect(await killed.exit(120_000)).toEqual({ code: null, signal: 'SIGKILL' });
      expect(failpoints.acted(point)).toMatchObject({ hit, action: 'kill' });
    }
    const states = `SELECT section, count(*) FILTER (WHERE state = 'created') AS created, count(*) AS total
      FROM sluice.object WHERE section <> 'cutover' GROUP BY 1 ORDER BY 1`;
    const [, postData, preData] = await ctx.destination.query(states);
    expect(preData?.['created']).not.toBe('0');
    expect(postData?.['created']).toBe(postData?.['total']);

    for (let run = 0; run < 2; run++) {
      await using sink = startSink(ctx, { types: 'schema' });
      expect(await sink.exit(120_000)).toEqual({ code: 0, signal: null });
    }
    await ctx.destination.query('DROP SCHEMA sluice CASCADE');
    expect(await catalogOf(ctx.destination)).toEqual(wanted);
  });
});
