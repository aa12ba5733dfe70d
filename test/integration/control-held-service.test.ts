import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { HeldService } from '../../services/control/processes/service-process.ts';
import type { FailedMessage } from '../../shared/service/run.ts';

const nowhere = ['--source', 'postgresql://a@127.0.0.1:1/s', '--destination', 'postgresql://a@127.0.0.1:2/d'];
const argv = ['--name', 'held', ...nowhere, '--brokers', '127.0.0.1:3', '--registry', 'http://127.0.0.1:4'];

function failureOf(child: ChildProcess): Promise<[FailedMessage]> {
  return once(child, 'message') as Promise<[FailedMessage]>;
}

test('a held service does nothing until it is told, and gives its process once', async () => {
  const held = new HeldService('capture', argv);
  // Long enough to load and to find nobody at port 1.
  await delay(4000);
  const child = held.begin()!;
  expect(child.exitCode).toBeNull();
  const [{ code }] = await failureOf(child);
  expect(code).toBe('POSTGRES_UNREACHABLE');
  expect(held.begin()).toBeNull();
  await once(child, 'exit');
});

test('told before it has loaded, it begins when it has', async () => {
  const held = new HeldService('sink-postgres', argv);
  const [{ code }] = await failureOf(held.begin()!);
  expect(code).toBe('POSTGRES_UNREACHABLE');
});

test('asked for the schema it answers what it met, and begins all the same', async () => {
  using held = new HeldService('capture', argv);
  await expect(held.ask()).rejects.toMatchObject({ code: 'POSTGRES_UNREACHABLE' });
  const child = held.begin()!;
  const [{ code }] = await failureOf(child);
  expect(code).toBe('POSTGRES_UNREACHABLE');
  await once(child, 'exit');
});

test('asked when it cannot load, it is said with what it wrote', async () => {
  process.env['NODE_OPTIONS'] = '--require=/nowhere/at/all.cjs';
  const held = new HeldService('capture', argv);
  delete process.env['NODE_OPTIONS'];
  await expect(held.ask()).rejects.toMatchObject({ code: 'INTERNAL', message: /before it was to begin.*all\.cjs/s });
});

test.each([
  ['loaded', 4000],
  ['not loaded yet', 0],
])('let go while it is %s, it ends by itself', async (_, milliseconds) => {
  const held = new HeldService('capture', argv);
  const before = process.getActiveResourcesInfo().filter((name) => name === 'ProcessWrap').length;
  await delay(milliseconds);
  held[Symbol.dispose]();
  const left = () => process.getActiveResourcesInfo().filter((name) => name === 'ProcessWrap').length;
  await expect.poll(left, { timeout: 15_000 }).toBeLessThan(before);
  expect(held.begin()).toBeNull();
});
