import { expect, test } from 'vitest';
import { testContext } from '../support/context.ts';
import { jsonOf } from '../support/control-command.ts';

/** An account that owns nothing at the destination and may not set the replica role. */
test('what would stop or double rows at tables of others is said before anything starts', async () => {
  await using ctx = await testContext();
  await ctx.source.query(`CREATE TABLE a (id int PRIMARY KEY, t text); CREATE TABLE b (id int PRIMARY KEY, a int);
    CREATE TABLE c (id int PRIMARY KEY)`);
  const account = ctx.destination.name;
  await ctx.destination.query(`CREATE TABLE a (id int, t text, extra int NOT NULL);
    CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES b ON DELETE CASCADE); CREATE TABLE c (id int PRIMARY KEY);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TRIGGER noting AFTER INSERT ON a FOR EACH ROW EXECUTE PROCEDURE note();
    ALTER TABLE b ENABLE ROW LEVEL SECURITY;
    CREATE ROLE ${account} LOGIN PASSWORD 'secret'; GRANT CREATE ON DATABASE ${account} TO ${account};
    GRANT ALL ON a, b TO ${account}`);
  ctx.defer(() => ctx.destination.query(`DROP OWNED BY ${account}; DROP ROLE ${account}`));
  const url = new URL(ctx.destination.url);
  url.username = account;
  url.password = 'secret';
  const limited = Object.assign(Object.create(ctx) as typeof ctx, {
    destination: Object.assign(Object.create(ctx.destination) as typeof ctx.destination, { url: url.toString() }),
  });
  const args = ['--types', 'full,incremental'];
  const { findings } = (await jsonOf(limited, 'precheck', { args, code: 4 })) as {
    findings: { severity: string; message: string }[];
  };
  const said = findings.map(({ severity, message }) => `${severity}: ${message}`).join('\n');
  expect(said).toMatch(/error: the destination account may not read and write .*"c"/);
  expect(said).toMatch(/error: row security applies to the destination account on .*"b"/);
  expect(said).toMatch(/error: would act on replicated rows, .*: trigger noting of .*"a"/);
  expect(said).toMatch(/error: foreign keys would act on replicated rows: b_a_fkey of .*"b"/);
  expect(said).toMatch(/error: the source lacks columns that are NOT NULL .*"a"\.extra/);
  expect(said).toMatch(/warning: no unique index stands behind the row key at the destination: .*"a"/);
  expect(said).toMatch(/warning: .*session_replication_role: foreign keys and triggers are absent until cutover/);
});
