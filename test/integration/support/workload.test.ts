import { expect, test } from 'vitest';
import { testContext } from '../../support/context.ts';
import { ownPostgres } from '../../support/own-servers.ts';
import { Random } from '../../support/random.ts';
import { createWorkloadTables, Workload } from '../../support/workload.ts';
import { workloadTransactions } from '../../support/workload-transactions.ts';

test.each(workloadTransactions.map(([, work]) => [work.name, work] as const))(
  '%s can be committed',
  async (_name, work) => {
    await using ctx = await testContext();
    await createWorkloadTables(ctx.source, 100);
    const client = await ctx.source.connect();
    ctx.defer(() => client.end());
    for (let seed = 1; seed <= 10; seed++) {
      await client.query('BEGIN');
      await work(client, new Random(seed));
      await client.query('COMMIT');
    }
  },
);

test("several clients write at once and seldom get in each other's way", async () => {
  await using ctx = await testContext();
  await createWorkloadTables(ctx.source, 200);
  await using load = new Workload(ctx.source.url, { seed: 1 });
  await load.progress(500);
  const { committed, refused, rolledBack } = await load.stop();
  expect(committed).toBeGreaterThanOrEqual(500);
  expect(rolledBack).toBeGreaterThan(0);
  expect(refused).toBeLessThan(committed / 4);
});

test('the load goes on after its server was killed', async () => {
  await using server = await ownPostgres();
  await using ctx = await testContext({ source: server.url });
  await createWorkloadTables(ctx.source, 50);
  await using load = new Workload(ctx.source.url, { seed: 2, transactionsPerSecond: 200 });
  await load.progress();
  await server.kill();
  await server.restart();
  await load.progress();
  expect((await load.stop()).reconnected).toBeGreaterThan(0);
});
