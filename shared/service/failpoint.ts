import { appendFileSync, readFileSync } from 'node:fs';
import { type ErrorCode, errorCatalogue, SluiceError } from '../errors.ts';

/**
 * Named dangerous instants, at which tests let a process die, stop or fail.
 *
 *   SLUICE_FAILPOINTS     name=kill@3;name2=pause@1;name3=error@2;name4=error:KAFKA_PRODUCE_FAILED;name5=count
 *   SLUICE_FAILPOINT_LOG  every hit of a name given there appends a line `name hit pid action`
 *
 * On the n-th hit in a process (default: the first) it kills itself (SIGKILL), stops itself (SIGSTOP) or throws.
 * Hits before and after do nothing. With a log an action is taken once, over all processes that share the log,
 * so that a restarted process gets past the point.
 */
export type FailpointAction = 'kill' | 'pause' | 'count' | { readonly error: ErrorCode };

export interface Failpoint {
  readonly action: FailpointAction;
  readonly at: number;
}

/** Does not return from `kill`; returns from `pause` after SIGCONT. Nothing at all unless the environment names it. */
export function failpoint(name: string): void {
  if (armed !== null) hit(armed, name);
}

/** @throws SluiceError CONFIG_INVALID */
export function parseFailpoints(text: string): Map<string, Failpoint> {
  const entries = text.split(';').filter((entry) => entry.trim() !== '');
  return new Map(
    entries.map((entry) => {
      const match = /^\s*([\w.-]+)=(kill|pause|count|error)(?::([A-Z_]+))?(?:@([1-9]\d*))?\s*$/.exec(entry);
      const [, name = '', kind, code = 'INTERNAL', at = '1'] = match ?? [];
      if (!match || !Object.hasOwn(errorCatalogue, code)) {
        throw new SluiceError(
          'CONFIG_INVALID',
          `SLUICE_FAILPOINTS: ${entry} is not name=kill|pause|error[:CODE]|count[@n]`,
        );
      }
      const action = kind === 'error' ? { error: code as ErrorCode } : (kind as 'kill' | 'pause' | 'count');
      return [name, { action, at: Number(at) }];
    }),
  );
}

interface Armed {
  readonly points: ReadonlyMap<string, Failpoint>;
  readonly hits: Map<string, number>;
  readonly log: string | undefined;
}

const armed: Armed | null = arm(process.env['SLUICE_FAILPOINTS'], process.env['SLUICE_FAILPOINT_LOG']);

function arm(text: string | undefined, log: string | undefined): Armed | null {
  return text ? { points: parseFailpoints(text), hits: new Map(), log } : null;
}

function hit({ points, hits, log }: Armed, name: string): void {
  const point = points.get(name);
  if (!point) return;
  const count = (hits.get(name) ?? 0) + 1;
  hits.set(name, count);
  const acts = count === point.at && point.action !== 'count' && !(log && hasActed(log, name));
  const action = typeof point.action === 'object' ? 'error' : point.action;
  if (log) appendFileSync(log, `${name} ${count} ${process.pid} ${acts ? action : '-'}\n`);
  if (acts) act(name, point.action);
}

function act(name: string, action: FailpointAction): void {
  if (typeof action === 'object') throw new SluiceError(action.error, `failpoint ${name}`);
  process.kill(process.pid, action === 'kill' ? 'SIGKILL' : 'SIGSTOP');
  // Another thread may be the one that takes the signal: this one must not get further meanwhile.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, action === 'kill' ? 60_000 : 200);
}

function hasActed(log: string, name: string): boolean {
  try {
    return readFileSync(log, 'utf8')
      .split('\n')
      .some((line) => line.startsWith(`${name} `) && !line.endsWith(' -'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
