import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkoutDir } from '../../../deploy/local/paths.ts';

const FILES = 10;
const FUNCTIONS = 15;

/** What Chrome's profiler writes, as far as it is read here. */
export interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[];
  readonly samples: readonly number[];
  /** Microseconds since the sample before. */
  readonly timeDeltas: readonly number[];
}

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  /** From 0. */
  readonly lineNumber?: number;
  readonly columnNumber?: number;
}

/** Where a process spent its own time: of what it was busy, in percent. */
export interface ProfileTop {
  readonly busySeconds: number;
  readonly files: readonly { readonly file: string; readonly percent: number }[];
  readonly functions: readonly { readonly name: string; readonly file: string; readonly percent: number }[];
}

/** By service. */
export type Profiles = Readonly<Record<string, ProfileTop>>;

/** What capture and sink wrote there, without the time until they began to read. */
export function profilesOf(dir: string, startSeconds: number): Profiles {
  const services = ['capture', 'sink'].map((service) => [service, topOfProfiles(join(dir, service), startSeconds)]);
  return Object.fromEntries(services.filter(([, top]) => top !== null)) as Profiles;
}

/** All threads together; null: there are no profiles. */
function topOfProfiles(dir: string, startSeconds: number): ProfileTop | null {
  if (!existsSync(dir)) return null;
  const profiles = readdirSync(dir).filter((name) => name.endsWith('.cpuprofile'));
  return profiles.length === 0
    ? null
    : topOf(
        profiles.map((name) => JSON.parse(readFileSync(join(dir, name), 'utf8')) as CpuProfile),
        startSeconds,
      );
}

export function topOf(profiles: readonly CpuProfile[], startSeconds: number): ProfileTop {
  const byFunction = new Map<string, number>();
  for (const profile of profiles) addSelfTimes(byFunction, profile, startSeconds);
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
    files: most(byFile, FILES).map(([file, time]) => ({ file, percent: percent(time) })),
    functions: most(byFunction, FUNCTIONS).map(([key, time]) => {
      const [name = '', file = ''] = key.split('\t');
      return { name, file, percent: percent(time) };
    }),
  };
}

function addSelfTimes(times: Map<string, number>, profile: CpuProfile, startSeconds: number): void {
  const keys = new Map(profile.nodes.map(({ id, callFrame }) => [id, keyOf(callFrame)]));
  let elapsed = 0;
  for (const [index, id] of profile.samples.entries()) {
    const delta = Math.max(0, profile.timeDeltas[index] ?? 0);
    elapsed += delta;
    const key = keys.get(id) ?? null;
    if (key !== null && elapsed > startSeconds * 1e6) times.set(key, (times.get(key) ?? 0) + delta);
  }
}

/** Name and file; null: nothing ran. */
function keyOf(frame: CallFrame): string | null {
  if (frame.functionName === '(idle)') return null;
  return `${frame.functionName || '(anonymous)'}\t${shortened(sourceOf(frame))}`;
}

const sourceMaps = new Map<string, SourceMap | null>();

/** The source file where it is known, else what ran. */
function sourceOf({ url, lineNumber = 0, columnNumber = 0 }: CallFrame): string {
  if (!url.startsWith('file://')) return url;
  const path = fileURLToPath(url);
  const map = sourceMaps.get(path) ?? readSourceMap(`${path}.map`);
  sourceMaps.set(path, map);
  const entry = map?.findEntry(lineNumber, columnNumber);
  return entry && 'originalSource' in entry ? resolve(dirname(path), entry.originalSource) : path;
}

function readSourceMap(path: string): SourceMap | null {
  if (!existsSync(path)) return null;
  return new SourceMap(JSON.parse(readFileSync(path, 'utf8')) as SourceMapPayload);
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
