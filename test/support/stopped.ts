import { expect } from 'vitest';
import type { TestContext } from './context.ts';
import { jsonOf, runCommand } from './control-command.ts';
import type { SluiceProcess } from './processes.ts';
import { startCapture, startSink } from './sink-scenario.ts';

export interface Stop {
  readonly service: 'capture' | 'sink';
  readonly code: string;
  /** Place and cause, as the operator is told them. */
  readonly says: RegExp;
}

/**
 * The process ended by itself, with an error that names code, place and remedy and no stack trace; `sluice status` says
 * the same of the service afterwards.
 */
export async function expectStop(
  ctx: TestContext,
  process: SluiceProcess,
  { service, code, says }: Stop,
): Promise<void> {
  const end = await process.exit(90_000);
  expect(end.code, process.output).toBeGreaterThan(0);
  expect(process.stderr).toMatch(new RegExp(`^error ${code}: .*${says.source}`, 'm'));
  expect(process.stderr).toMatch(/^remedy: \S/m);
  expect(process.stderr).not.toMatch(/^\s+at /m);
  await expectStatus(ctx, { service, code, says });
}

/** Long after the process ended, and in both forms. */
export async function expectStatus(ctx: TestContext, { service, code, says }: Stop): Promise<void> {
  const [status, text] = await Promise.all([jsonOf(ctx, 'status'), runCommand(ctx, 'status')]);
  const errors = status['errors'] as { service: string; code: string; message: string; remedy: string }[];
  const error = errors.find((each) => each.service === service);
  expect(error, JSON.stringify(errors)).toMatchObject({ code, message: expect.stringMatching(says) });
  expect(error?.remedy).toMatch(/\S/);
  expect(text.stdout).toMatch(new RegExp(`^error\\s+${service}: ${code}: .*${says.source}`, 'm'));
  expect(text.stdout).toMatch(/^\s+remedy: \S/m);
}

/** A capture of all migration types that is started now stops so. */
export async function expectCaptureStops(ctx: TestContext, code: string, says: RegExp): Promise<void> {
  await using capture = startCapture(ctx);
  await expectStop(ctx, capture, { service: 'capture', code, says });
}

/** A sink that is started now stops so. */
export async function expectSinkStops(ctx: TestContext, code: string, says: RegExp): Promise<void> {
  await using sink = startSink(ctx);
  await expectStop(ctx, sink, { service: 'sink', code, says });
}
