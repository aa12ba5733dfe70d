import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkoutDir } from '../../../deploy/local/paths.ts';

/** What Chrome's profiler writes, as far as it is read here. */
interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: { functionName: string; url: string } }[];
  readonly samples: readonly number[];
  /** Microseconds since the sample before. */
  readonly timeDeltas: readonly number[];
}

/** Where a process spent its own time: of what it was busy, in percent. */
export interface ProfileTop {
  readonly busySeconds: number;
  readonly files: readonly { readonly file: string; readonly percent: number }[];
  readonly functions: readonly { readonly name: string; readonly file: string; readonly percent: number }[];
}

/** All threads of the profiles in the directory together; null: there are none. */
export function topOfProfiles(dir: string, { files = 10, functions = 15 } = {}): ProfileTop | null {
  if (!existsSync(dir)) return null;
  const byFunction = new Map<string, number>();
  for (const name of readdirSync(dir).filter((entry) => entry.endsWith('.cpuprofile'))) {
    addSelfTimes(byFunction, JSON.parse(readFileSync(join(dir, name), 'utf8')) as CpuProfile);
  }
  if (byFunction.size === 0) return null;
  const byFile = new Map<string, number>();
  let busy = 0;
  for (const [key, time] of byFunction) {
    const file = key.split('\t')[1] ?? '';
    byFile.set(file, (byFile.get(file) ?? 0) + time);
    busy += time;
  }
  const percent = (time: number) => (time / busy) * 100;
  return {
    busySeconds: busy / 1e6,
    files: most(byFile, files).map(([file, time]) => ({ file, percent: percent(time) })),
    functions: most(byFunction, functions).map(([key, time]) => {
      const [name = '', file = ''] = key.split('\t');
      return { name, file, percent: percent(time) };
    }),
  };
}

function addSelfTimes(times: Map<string, number>, { nodes, samples, timeDeltas }: CpuProfile): void {
  const keys = new Map(nodes.map(({ id, callFrame }) => [id, keyOf(callFrame)]));
  for (const [index, id] of samples.entries()) {
    const key = keys.get(id) ?? null;
    if (key !== null) times.set(key, (times.get(key) ?? 0) + Math.max(0, timeDeltas[index] ?? 0));
  }
}

/** Name and file; null: nothing ran. */
function keyOf({ functionName, url }: { functionName: string; url: string }): string | null {
  if (functionName === '(idle)') return null;
  return `${functionName || '(anonymous)'}\t${shortened(url)}`;
}

function shortened(url: string): string {
  if (url === '') return 'V8 and Node.js, native';
  const path = url.replace(/^file:\/\//, '').replace(/\?.*$/, '');
  const inPackages = path.lastIndexOf('/node_modules/');
  if (inPackages >= 0) return path.slice(inPackages + '/node_modules/'.length);
  return path.startsWith(checkoutDir) ? path.slice(checkoutDir.length + 1) : path;
}

function most(times: ReadonlyMap<string, number>, count: number): [string, number][] {
  return [...times].sort(([, a], [, b]) => b - a).slice(0, count);
}
