import { expect, test } from 'vitest';
import { ReplicationConnection } from '../../services/capture/stream/replication-connection.ts';
import { parseLsn } from '../../shared/postgres/lsn.ts';
import { type TestContext, testContext } from '../support/context.ts';
import { runCommand } from '../support/control-command.ts';
import { eventually } from '../support/eventually.ts';
import { expectSoundTopics } from '../support/manifest-reader.ts';
import { ownPostgres } from '../support/own-servers.ts';
import { postgresEndpoint } from '../support/postgres-endpoint.ts';
import { expectCaughtUp, startCapture, startSink } from '../support/sink-scenario.ts';
import { expectStatus, expectStop } from '../support/stopped.ts';
import { confirmedLsn, expectSlotBehindManifest, slotOf } from './capture-scenario.ts';

const dropSlot = `
  DO $$ DECLARE slot record; BEGIN
    LOOP
      SELECT * INTO slot FROM pg_replication_slots WHERE database = current_database();
      EXIT WHEN NOT FOUND;
      PERFORM pg_terminate_backend(slot.active_pid);
      BEGIN
        PERFORM pg_drop_replication_slot(slot.slot_name);
      EXCEPTION WHEN object_in_use THEN NULL;
      END;
    END LOOP;
  END $$`;

/** A slot that is gone, or that the server gave up, has lost changes: capture stops, and only a new start helps. */
test('slot dropped while it streams, then invalidated while capture is away: each time the remedy helps', async () => {
  await using server = await ownPostgres({ settings: { max_slot_wal_keep_size: '32MB', autovacuum: 'off' } });
  await using ctx = await testContext({ source: server.url });
  await ctx.source.query('CREATE TABLE t (id serial PRIMARY KEY, note text)');
  const streams = async () => {
    await using sink = startSink(ctx);
    const capture = startCapture(ctx);
    try {
      await capture.wrote(/streaming/);
      await ctx.source.query(`INSERT INTO t (note) SELECT 'n' FROM generate_series(1, 10)`);
      await expectCaughtUp(ctx, [capture, sink]);
      await expectSoundTopics(ctx);
    } catch (error) {
      await capture[Symbol.asyncDispose]();
      throw error;
    }
    return capture;
  };

  {
    await using capture = await streams();
    await ctx.source.query(dropSlot);
    const says = /slot \w+ is gone; published up to position \d+, LSN [0-9A-F/]+/;
    await expectStop(ctx, capture, { service: 'capture', code: 'SOURCE_SLOT_MISSING', says });
  }
  await startAnew(ctx);

  await using capture = await streams();
  capture.signal('SIGTERM');
  await capture.exit();
  for (let i = 0; i < 4; i++) await ctx.source.query('INSERT INTO t DEFAULT VALUES; SELECT pg_switch_wal()');
  await ctx.source.query('CHECKPOINT');
  const says = /slot \w+ is invalidated; published up to position \d+, LSN [0-9A-F/]+/;
  // Known before any capture comes to see it.
  await expectStatus(ctx, { service: 'capture', code: 'SOURCE_SLOT_INVALID', says });
  await using again = startCapture(ctx);
  await expectStop(ctx, again, { service: 'capture', code: 'SOURCE_SLOT_INVALID', says });
  await expectRefusedByServer(ctx);
  await startAnew(ctx);
  await using last = await streams();
  expect(last.running).toBe(true);
});

/** What the remedy says. */
async function startAnew(ctx: TestContext): Promise<void> {
  await runCommand(ctx, 'release', { args: ['--topics', '--bookkeeping'] });
  await ctx.destination.query('DROP TABLE t');
}

/** The same, when it happens between the look at the slot and the start of the stream. */
async function expectRefusedByServer(ctx: TestContext): Promise<void> {
  const connection = await ReplicationConnection.open(postgresEndpoint(ctx.source.url), 'sluice test');
  const options = { proto_version: '1', publication_names: `"${slotOf(ctx)}"` };
  const nothing = { message: () => true, keepalive: () => undefined };
  const stream = connection.stream({ slot: slotOf(ctx), options, from: parseLsn('0/0') }, nothing);
  await expect(stream).rejects.toMatchObject({ code: 'SOURCE_SLOT_INVALID' });
  await connection.close();
}

/** Somebody else who reads from the slot may acknowledge what Kafka lacks: capture does not start beside him. */
test('slot taken by another consumer, then left, taken again and taken over', async () => {
  await using ctx = await testContext();
  await ctx.source.query('CREATE TABLE t (id serial PRIMARY KEY, note text)');
  await using sink = startSink(ctx);
  {
    await using capture = startCapture(ctx);
    await capture.wrote(/streaming/);
    await ctx.source.query('INSERT INTO t DEFAULT VALUES');
    await expectCaughtUp(ctx, [capture, sink]);
    capture.signal('SIGTERM');
    await capture.exit();
  }
  const confirmed = await confirmedLsn(ctx);
  await ctx.source.query('INSERT INTO t DEFAULT VALUES');
  const other = await readSlot(ctx);
  await using refused = startCapture(ctx);
  const says = new RegExp(`slot \\w+ is read by process ${other.pid} \\(stranger, from `);
  await expectStop(ctx, refused, { service: 'capture', code: 'SOURCE_SLOT_IN_USE', says });
  expect(await confirmedLsn(ctx)).toBe(confirmed);
  await other.close();

  await using capture = startCapture(ctx);
  await expectCaughtUp(ctx, [capture, sink]);
  capture.signal('SIGKILL');
  await capture.exit();
  await using another = await readSlot(ctx);
  await using heir = startCapture(ctx, { args: ['--take-over'] });
  await ctx.source.query('INSERT INTO t DEFAULT VALUES');
  await expectCaughtUp(ctx, [heir, sink]);
  expect(await ctx.source.value('SELECT count(*) FROM pg_stat_activity WHERE pid = $1', [another.pid])).toBe('0');
  await expectSlotBehindManifest(ctx);
});

async function readSlot(ctx: TestContext) {
  const options = { proto_version: '1', publication_names: `"${slotOf(ctx)}"` };
  const nothing = { message: () => true, keepalive: () => undefined };
  const connection = await eventually(async () => {
    const opened = await ReplicationConnection.open(postgresEndpoint(ctx.source.url), 'stranger');
    opened.stream({ slot: slotOf(ctx), options, from: parseLsn('0/0') }, nothing).catch(() => undefined);
    const active = 'SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1';
    const reads = await eventually(async () => (await ctx.source.value(active, [slotOf(ctx)])) !== null);
    return reads && (await ctx.source.value(active, [slotOf(ctx)])) === String(opened.pid) && opened;
  });
  return { pid: connection.pid, close: () => connection.close(), [Symbol.asyncDispose]: () => connection.close() };
}
