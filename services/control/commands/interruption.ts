import { ExitCode, SluiceError } from '../../../shared/errors.ts';

const DEFAULT_TIMEOUT_SECONDS = 300;

/** SIGINT and SIGTERM abort the signal; what the command asked of others is then taken back. */
export async function interruptible(act: (signal: AbortSignal) => Promise<number>): Promise<number> {
  const stop = new AbortController();
  const abort = () => stop.abort(new Error('interrupted'));
  process.on('SIGINT', abort);
  process.on('SIGTERM', abort);
  try {
    return await act(stop.signal);
  } catch (error) {
    if (stop.signal.aborted) return ExitCode.interrupted;
    throw error;
  } finally {
    process.off('SIGINT', abort);
    process.off('SIGTERM', abort);
  }
}

/** @throws SluiceError CONFIG_INVALID */
export function timeoutSeconds(text: unknown): number {
  if (text === undefined) return DEFAULT_TIMEOUT_SECONDS;
  const seconds = Number(text);
  if (Number.isFinite(seconds) && seconds > 0) return seconds;
  throw new SluiceError('CONFIG_INVALID', '--timeout: not a number of seconds above 0');
}
