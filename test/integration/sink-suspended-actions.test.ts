import { expect, test } from 'vitest';
import { openSession } from '../../services/sink-postgres/bookkeeping/session.ts';
import { createBookkeeping } from '../../services/sink-postgres/bookkeeping/tables.ts';
import { restoreActions, suspendActions } from '../../shared/postgres/suspended-actions.ts';
import { testContext } from '../support/context.ts';
import { postgresEndpoint } from '../support/postgres-endpoint.ts';

const states = `SELECT tgrelid::regclass || '.' || tgname || tgenabled::text AS state FROM pg_trigger
  WHERE NOT tgisinternal OR tgconstraint = 0 ORDER BY 1`;

/** Without replica role the ordinary triggers act, and those of replicas do not; partitions have clones of their own. */
test('what acts in an ordinary session is suspended, in partitions too, and put back as it was', async () => {
  await using ctx = await testContext();
  const { destination } = ctx;
  await destination.query(`CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TABLE parts (id int, at int) PARTITION BY RANGE (at); CREATE TABLE part1 PARTITION OF parts DEFAULT;
    CREATE TABLE "Odd "" name" (id int GENERATED ALWAYS AS IDENTITY);
    CREATE TRIGGER "a ""b" AFTER INSERT ON "Odd "" name" FOR EACH ROW EXECUTE PROCEDURE note();
    CREATE TRIGGER replica AFTER INSERT ON "Odd "" name" FOR EACH ROW EXECUTE PROCEDURE note();
    ALTER TABLE "Odd "" name" ENABLE REPLICA TRIGGER replica;
    CREATE TRIGGER rows AFTER INSERT ON parts FOR EACH ROW EXECUTE PROCEDURE note();
    ALTER TABLE part1 ENABLE ALWAYS TRIGGER rows;
    CREATE TRIGGER statement AFTER TRUNCATE ON part1 FOR EACH STATEMENT EXECUTE PROCEDURE note()`);
  const before = await destination.query(states);
  const owner = { task: ctx.task, sink: 'main' };
  const client = await openSession({ endpoint: postgresEndpoint(destination.url), identity: owner }, 'control');
  try {
    await createBookkeeping(client);
    const tables = ['parts', 'Odd " name'].map((name) => ({ schema: 'public', name }));
    const suspended = await suspendActions(client, owner, { tables, replicaRole: false });
    expect(suspended.map(({ table, kind, name, state }) => [table, kind, name, state])).toEqual([
      ['parts', 'trigger', 'rows', 'O'],
      ['Odd " name', 'identity', 'id', 'a'],
      ['Odd " name', 'trigger', 'a "b', 'O'],
      ['part1', 'trigger', 'rows', 'A'],
      ['part1', 'trigger', 'statement', 'O'],
    ]);
    expect((await destination.query(states)).map(({ state }) => state?.at(-1))).toEqual(['D', 'R', 'D', 'D', 'D']);
    // Suspended already: nothing is found, and what is remembered stays. What is gone by then is passed over.
    expect(await suspendActions(client, owner, { tables, replicaRole: false })).toEqual([]);
    await destination.query('DROP TRIGGER statement ON part1');
    expect(await restoreActions(client, owner)).toHaveLength(5);
    const gone = before.filter(({ state }) => !state?.includes('statement'));
    expect(await destination.query(states)).toEqual(gone);
    expect(
      await destination.value(`SELECT attidentity FROM pg_attribute WHERE attname = 'id' AND attidentity <> ''`),
    ).toBe('a');
    expect(await restoreActions(client, owner)).toEqual([]);
  } finally {
    await client.end();
  }
});
