import { setTimeout as delay } from 'node:timers/promises';

export interface EventuallyOptions {
  /** Default: 60 seconds. */
  readonly timeoutMs?: number;
  readonly intervalMs?: number;
  /** Named when the time is over. */
  readonly what?: string;
}

/** Variants and slow machines take longer: all times are multiplied by it. */
const patience = Number(process.env['TEST_PATIENCE'] ?? 1);

/** Waits until the condition neither throws nor gives false; then gives what it gave. */
export async function eventually<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 60_000, intervalMs = 50, what = 'the condition' }: EventuallyOptions = {},
): Promise<Exclude<T, false>> {
  const deadline = Date.now() + timeoutMs * patience;
  for (;;) {
    let failure: unknown;
    try {
      const result = await condition();
      if (result !== false) return result as Exclude<T, false>;
    } catch (error) {
      failure = error;
    }
    if (Date.now() > deadline)
      throw new Error(`${what} did not hold within ${timeoutMs * patience} ms`, { cause: failure });
    await delay(intervalMs);
  }
}
