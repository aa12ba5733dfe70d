import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDir } from './own-servers.ts';

export interface FailpointHit {
  readonly name: string;
  /** Count in its process, from 1. */
  readonly hit: number;
  readonly pid: number;
  /** `-`: passed by. */
  readonly action: 'kill' | 'pause' | 'error' | '-';
}

/** Arms failpoints for processes that are given `env`, and tells which were hit. */
export class Failpoints implements AsyncDisposable {
  readonly env: Readonly<Record<string, string>>;
  readonly #dir = temporaryDir('failpoints');

  /** As SLUICE_FAILPOINTS: `capture.before-manifest-append=kill@3;...`. */
  constructor(points: string) {
    this.env = { SLUICE_FAILPOINTS: points, SLUICE_FAILPOINT_LOG: join(this.#dir, 'hits') };
  }

  hits(name?: string): FailpointHit[] {
    const lines = read(join(this.#dir, 'hits')).split('\n').filter(Boolean);
    const hits = lines.map((line) => {
      const [point = '', hit, pid, action] = line.split(' ');
      return { name: point, hit: Number(hit), pid: Number(pid), action: action as FailpointHit['action'] };
    });
    return hits.filter((hit) => name === undefined || hit.name === name);
  }

  /** The hit that killed, stopped or failed a process; the proof that the fault happened. */
  acted(name: string): FailpointHit | undefined {
    return this.hits(name).find(({ action }) => action !== '-');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
