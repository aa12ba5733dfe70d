import { readdirSync, readFileSync } from 'node:fs';

/** Of one process: proc_pid_stat(5), proc_pid_status(5). */
export interface ProcessUsage {
  readonly parent: number;
  /** Seconds of its own and of its children that ended. */
  readonly cpu: number;
  /** Most that was ever resident, in MiB. */
  readonly peak: number;
  /** Resident now and not shared with other processes, in MiB. */
  readonly own: number;
}

const TICKS_PER_SECOND = 100;

/** null: it ended. */
export function usageOf(pid: number): ProcessUsage | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const mib = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024;
    return { parent: Number(fields[1]), cpu: ticks / TICKS_PER_SECOND, peak: mib('VmHWM'), own: mib('RssAnon') };
  } catch {
    return null;
  }
}

/** The process with all that it started, but for `except`; looks at every process of the machine, so not for often. */
export function treeUsage(root: number, except: readonly number[] = []): Omit<ProcessUsage, 'parent'> | null {
  const all = new Map<number, ProcessUsage>();
  for (const name of readdirSync('/proc')) {
    const usage = /^\d+$/.test(name) ? usageOf(Number(name)) : null;
    if (usage) all.set(Number(name), usage);
  }
  const top = all.get(root);
  if (!top) return null;
  const tree = [top];
  const pids = [root];
  for (const pid of pids) {
    for (const [child, usage] of all) {
      if (usage.parent !== pid || except.includes(child)) continue;
      pids.push(child);
      tree.push(usage);
    }
  }
  return {
    cpu: tree.reduce((sum, { cpu }) => sum + cpu, 0),
    peak: tree.reduce((sum, { peak }) => sum + peak, 0),
    own: tree.reduce((sum, { own }) => sum + own, 0),
  };
}

/** A child of the process, by its command line. */
export function childWith(parent: number, fits: (commandLine: string) => boolean): number | null {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || usageOf(Number(name))?.parent !== parent) continue;
    try {
      if (fits(readFileSync(`/proc/${name}/cmdline`, 'utf8'))) return Number(name);
    } catch {
      // It ended meanwhile.
    }
  }
  return null;
}
