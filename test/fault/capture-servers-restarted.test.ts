import { describe, expect, test } from 'vitest';
import { type TestContext, testContext } from '../support/context.ts';
import { eventually } from '../support/eventually.ts';
import { ownKafka, ownPostgres, ownRegistry } from '../support/own-servers.ts';
import { caughtUp, expectSlotBehindManifest, Ledger, manifestOf, startCapture } from './capture-scenario.ts';

/** Writes before, during and after the fault; capture stays the same process and publishes everything once. */
async function expectSurvived(ctx: TestContext, fault: (ledger: Ledger) => Promise<void>): Promise<void> {
  const ledger = await Ledger.create(ctx);
  await using capture = startCapture(ctx);
  await capture.wrote(/streaming/);
  await ledger.writeMany(10);
  await ledger.expectPublishedOnce();
  const before = (await manifestOf(ctx)).epochs;
  await fault(ledger);
  await ledger.writeMany(10);
  const report = await ledger.expectPublishedOnce();
  expect(capture.running).toBe(true);
  expect(report.epochs).toBeGreaterThan(before);
  await expectSlotBehindManifest(ctx);
}

describe('servers that capture needs, taken away while it streams', () => {
  test('the source stops and starts again', async () => {
    await using source = await ownPostgres();
    await using ctx = await testContext({ source: source.url });
    await expectSurvived(ctx, async () => source.restart());
  });

  test('the source is killed', async () => {
    await using source = await ownPostgres({ settings: { fsync: 'on', full_page_writes: 'on' } });
    await using ctx = await testContext({ source: source.url });
    await expectSurvived(ctx, async () => {
      await source.kill();
      await source.restart();
    });
  });

  test('the only broker is killed, and comes back later', async () => {
    await using kafka = await ownKafka();
    await using ctx = await testContext({ brokers: kafka.bootstrap });
    await expectSurvived(ctx, async (ledger) => {
      const [broker] = kafka.brokers;
      await broker?.kill();
      await ledger.writeMany(5);
      await broker?.restart();
    });
  });

  test('a broker that leads is killed, of three', async () => {
    await using kafka = await ownKafka(3);
    await using ctx = await testContext({ brokers: kafka.bootstrap });
    const ledger = await Ledger.create(ctx);
    await using capture = startCapture(ctx);
    await capture.wrote(/streaming/);
    for (const broker of kafka.brokers) {
      await ledger.writeMany(5);
      await broker.kill();
      await ledger.writeMany(5);
      await caughtUp(ctx);
      await broker.restart();
    }
    await ledger.expectPublishedOnce();
    expect(capture.running).toBe(true);
  });

  test('the registry is away: the stream does not need it, a new attempt waits for it', async () => {
    await using registry = await ownRegistry();
    await using source = await ownPostgres();
    await using ctx = await testContext({ source: source.url, registry: registry.url });
    const ledger = await Ledger.create(ctx);
    await using capture = startCapture(ctx);
    await capture.wrote(/streaming/);
    await ledger.writeMany(5);
    await ledger.expectPublishedOnce();
    await registry.kill();
    await ledger.writeMany(5);
    await source.restart();
    await capture.wrote(/REGISTRY_UNREACHABLE/);
    await registry.restart();
    await ledger.writeMany(5);
    await eventually(() => ledger.expectPublishedOnce());
    expect(capture.running).toBe(true);
  });
});
