import { expect, test } from 'vitest';
import { type TestContext, testContext } from '../support/context.ts';
import { eventually } from '../support/eventually.ts';
import { lsnOf } from '../support/manifest-log.ts';
import { ownPostgres } from '../support/own-servers.ts';
import { confirmedLsn, Ledger, manifestOf, prepareSlot, startCapture } from './capture-scenario.ts';

/**
 * The end LSN of a commit may be the start of the next commit's record. Acknowledged exactly there, and started again
 * there, the server sends the second one; one byte further it would pass over it.
 */
test('a transaction whose commit record starts where the acknowledged one ended is not skipped', async () => {
  await using server = await ownPostgres({ settings: { autovacuum: 'off' } });
  await using ctx = await testContext({ source: server.url });
  const ledger = await Ledger.create(ctx);
  await prepareSlot(ctx);
  let neighbours = false;
  // Whatever the server itself writes in between makes it another round.
  for (let round = 0; round < 3 && !neighbours; round++) {
    await using killed = startCapture(ctx);
    await killed.wrote(/streaming/);
    const [a, b] = [await openTransaction(ctx, ledger), await openTransaction(ctx, ledger)];
    await a.commit();
    const end = await eventually(async () => {
      const last = await lastTransaction(ctx);
      return last != null && (await confirmedLsn(ctx)) === lsnOf(last.endLsn) && last.endLsn;
    });
    killed.signal('SIGKILL');
    await killed.exit();
    await b.commit();
    await using capture = startCapture(ctx);
    await ledger.expectPublishedOnce();
    expect(capture.running).toBe(true);
    const { counted } = await manifestOf(ctx);
    neighbours = counted.some(({ kind, complete }) => kind === 'batch' && complete?.commitLsn === end);
  }
  expect(neighbours).toBe(true);
});

async function openTransaction(ctx: TestContext, ledger: Ledger) {
  const client = await ctx.source.connect();
  await client.query(`BEGIN; INSERT INTO ledger (transaction, note) VALUES (0, 'a')`);
  return {
    commit: async () => {
      await client.query('COMMIT');
      ledger.rows += 1;
      ledger.transactions += 1;
      await client.end();
    },
  };
}

async function lastTransaction(ctx: TestContext) {
  return (await manifestOf(ctx)).counted.findLast(({ kind }) => kind === 'batch')?.complete;
}
