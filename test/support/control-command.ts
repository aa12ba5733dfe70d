import { expect } from 'vitest';
import type { TestContext } from './context.ts';
import { type SluiceProcess, sluice } from './processes.ts';

/** The options that describe the test's task. */
export function taskOptions(ctx: TestContext): string[] {
  return [
    ...['--name', ctx.task, '--source', ctx.source.url, '--destination', ctx.destination.url],
    ...['--brokers', ctx.brokers.join(','), '--registry', ctx.registry],
  ];
}

/** `sluice COMMAND` on the test's task, still running. */
export function startCommand(ctx: TestContext, command: string, more: readonly string[] = []): SluiceProcess {
  return sluice([command, ...taskOptions(ctx), ...more], { env: { SLUICE_LOG: 'warn' } });
}

/** Runs it to its end and expects the exit code. */
export async function runCommand(
  ctx: TestContext,
  command: string,
  { args = [], code = 0 }: { readonly args?: readonly string[]; readonly code?: number } = {},
): Promise<SluiceProcess> {
  await using ran = startCommand(ctx, command, args);
  const exit = await ran.exit(180_000);
  expect(exit, ran.output).toEqual({ code, signal: null });
  return ran;
}

/** The JSON document that it wrote. */
export async function jsonOf(
  ctx: TestContext,
  command: string,
  options: { readonly args?: readonly string[]; readonly code?: number } = {},
): Promise<Record<string, unknown>> {
  const ran = await runCommand(ctx, command, { ...options, args: [...(options.args ?? []), '--json'] });
  return JSON.parse(ran.stdout) as Record<string, unknown>;
}

/** One clear error: code, message, remedy, exit code, and no stack trace. */
export async function expectError(
  process: SluiceProcess,
  expected: { readonly code: string; readonly exit: number; readonly says?: RegExp },
): Promise<void> {
  const exit = await process.exit();
  expect(process.stderr).toMatch(new RegExp(`^error ${expected.code}: `, 'm'));
  if (expected.says) expect(process.stderr).toMatch(expected.says);
  expect(process.stderr).toMatch(/^\s*remedy: \S/m);
  expect(process.stderr).not.toMatch(/^\s+at /m);
  expect(exit, process.output).toEqual({ code: expected.exit, signal: null });
}
