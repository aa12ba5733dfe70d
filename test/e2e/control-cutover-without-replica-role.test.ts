import { expect, test } from 'vitest';
import { expectEqualDatabases } from '../support/compare.ts';
import { testContext } from '../support/context.ts';
import { jsonOf, startCommand } from '../support/control-command.ts';
import { eventually } from '../support/eventually.ts';

/** An account that may not set session_replication_role: foreign keys are absent until cutover, which makes them. */
test('foreign keys held back are made at cutover, also by a second one after the first failed', async () => {
  await using ctx = await testContext();
  await ctx.source.query(`
    CREATE TABLE parent (id int PRIMARY KEY);
    CREATE TABLE child (id serial PRIMARY KEY, parent_id int REFERENCES parent);
    INSERT INTO parent SELECT generate_series(1, 50);
    INSERT INTO child (parent_id) SELECT 1 + n % 50 FROM generate_series(1, 500) AS n`);
  const account = ctx.destination.name;
  await ctx.destination.query(`CREATE ROLE ${account} LOGIN PASSWORD 'secret'; GRANT CREATE ON DATABASE ${account} TO ${account};
    GRANT CREATE ON SCHEMA public TO ${account}`);
  ctx.defer(() => ctx.destination.query(`DROP OWNED BY ${account}; DROP ROLE ${account}`));
  const url = new URL(ctx.destination.url);
  url.username = account;
  url.password = 'secret';
  const limited = Object.assign(Object.create(ctx) as typeof ctx, {
    destination: Object.assign(Object.create(ctx.destination) as typeof ctx.destination, { url: url.toString() }),
  });

  await using migrate = startCommand(limited, 'migrate');
  await eventually(
    async () => (await ctx.destination.value('SELECT phase FROM sluice.sink')) === 'incremental data migration',
  );
  expect(migrate.stderr).toMatch(/warning: .*session_replication_role/);
  await ctx.source.query('BEGIN; DELETE FROM child WHERE parent_id = 3; DELETE FROM parent WHERE id = 3; COMMIT');
  await jsonOf(limited, 'fence');
  const foreignKeys = `SELECT count(*) FROM pg_constraint WHERE contype = 'f'`;
  expect(await ctx.destination.value(foreignKeys)).toBe('0');
  expect((await jsonOf(limited, 'status'))['waitsFor']).toContainEqual(
    expect.stringMatching(/foreign keys and triggers wait for cutover/),
  );

  // A row that the foreign key cannot accept makes the first cutover fail after the sink has ended.
  await ctx.destination.query('INSERT INTO child (id, parent_id) VALUES (-1, 999)');
  const failed = await jsonOf(limited, 'cutover', { code: 65 });
  expect(failed).toMatchObject({
    error: { code: 'DESTINATION_OBJECT_FAILED', message: expect.stringMatching(/child_parent_id_fkey/) },
  });
  await ctx.destination.query('DELETE FROM child WHERE id = -1');
  expect(await jsonOf(limited, 'cutover')).toMatchObject({ done: true, objects: [{ section: 'foreign-keys' }] });
  expect(await migrate.exit(), migrate.output).toEqual({ code: 0, signal: null });
  expect(await ctx.destination.value(`${foreignKeys} AND convalidated`)).toBe('1');
  expect(await ctx.destination.value('INSERT INTO child (parent_id) VALUES (1) RETURNING id')).toBe('501');
  await ctx.destination.query('DELETE FROM child WHERE id = 501');
  await expectEqualDatabases(ctx.source.url, ctx.destination.url);
});
