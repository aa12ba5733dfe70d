import type { Outcome, Workload } from '../bench.ts';
import { type Check, checksOf, verdictOf } from '../checks.ts';
import type { ProfileTop } from '../measure/profile.ts';
import { rate, type Sample, spread } from '../measure/sample.ts';
import { table } from './table.ts';

export interface Measured {
  readonly workload: Workload;
  readonly outcome: Outcome;
}

export interface ReportOptions {
  readonly run: readonly (readonly [string, string])[];
  readonly measured: readonly Measured[];
  /** Where the chart is, from the report. */
  readonly chart: string;
}

/** Markdown; headings from level 3 on, so that it can stand in a page. */
export function reportText({ run, measured, chart }: ReportOptions): string {
  const checks = measured.flatMap(({ workload, outcome }) => checksOf(workload.name, outcome));
  const parts = [
    table(['', ''], run),
    `![Rates as ratios to their baselines](${chart})`,
    '### Against aims and floors',
    `${summary(checks)} Minimum, median and maximum of the rounds; the median is judged.`,
    table(['workload', 'what', 'measured', 'aim', 'floor', ''], checks.map(checkRow)),
    ...measured.flatMap(workloadParts),
  ];
  return `${parts.join('\n\n')}\n`;
}

function summary(checks: readonly Check[]): string {
  const count = (verdict: string) => checks.filter((check) => verdictOf(check) === verdict).length;
  return `Of ${checks.length}, ${count('met')} are met, ${count('aim missed')} miss the aim, ${count('below the floor')} are below the floor.`;
}

function checkRow(check: Check): string[] {
  const { workload, what, unit, values, better, aim, floor } = check;
  const verdict = verdictOf(check);
  const limit = (value: number) => `${better === 'more' ? '≥' : '≤'} ${number(value)}`;
  return [
    workload,
    what,
    `${range(values)} ${unit}`.trim(),
    limit(aim),
    limit(floor),
    verdict === 'met' ? verdict : `**${verdict}**`,
  ];
}

function workloadParts({ workload, outcome }: Measured): string[] {
  const { description, unit, samples, figures, profiles } = outcome;
  const sides = Object.entries(samples);
  const parts = [
    `### ${workload.title} (\`${workload.name}\`)`,
    `${description[0]?.toUpperCase()}${description.slice(1)}.`,
  ];
  if (sides.length > 0) {
    const heads = [
      'side',
      `${unit}/s`,
      's',
      'of it start',
      `${unit}/s after start`,
      'WAL kept, MiB',
      'unacknowledged, MiB',
    ];
    parts.push(
      table(
        heads,
        sides.map(([side, all]) => rateRow(side, all)),
      ),
      cpuTable(sides, unit),
    );
  }
  if (figures.length > 0) {
    parts.push(
      table(
        ['', 'measured'],
        figures.map(({ name, unit: of, values }) => [name, `${range(values)} ${of}`.trim()]),
      ),
    );
  }
  for (const [service, top] of Object.entries(profiles)) parts.push(...profileParts(service, top));
  return parts;
}

function rateRow(side: string, all: readonly Sample[]): string[] {
  const afterStart = ({ units, seconds, startSeconds }: Sample) =>
    rate({ units, seconds: seconds - (startSeconds ?? 0) });
  const known = (values: readonly number[]) => (values.length > 0 ? number(Math.max(...values)) : '');
  const starts = all.flatMap(({ startSeconds }) => startSeconds ?? []);
  return [
    side,
    range(all.map(rate)),
    number(median(all, ({ seconds }) => seconds)),
    starts.length > 0 ? number(spread(starts).median) : '',
    starts.length > 0 ? number(median(all, afterStart)) : '',
    known(all.flatMap(({ wal }) => wal?.kept ?? [])),
    known(all.flatMap(({ wal }) => wal?.unacknowledged ?? [])),
  ];
}

/** Of the processes: what a row or change costs, and how large they became. */
function cpuTable(sides: readonly (readonly [string, readonly Sample[]])[], unit: string): string {
  const names = [...new Set(sides.flatMap(([, all]) => all.flatMap(({ cpu }) => Object.keys(cpu))))];
  const rows = sides.map(([side, all]) => [side, ...names.map((name) => cost(name, all))]);
  return table([`µs of CPU for each of the ${unit} (peak MiB)`, ...names], rows);
}

function cost(name: string, all: readonly Sample[]): string {
  if (!all.some(({ cpu }) => name in cpu)) return '';
  const each = median(all, ({ cpu, units }) => ((cpu[name] ?? 0) * 1e6) / units);
  const later = median(all, ({ cpu, startCpu, units }) => (((cpu[name] ?? 0) - (startCpu[name] ?? 0)) * 1e6) / units);
  const peaks = all.flatMap(({ peak }) => peak[name] ?? []);
  const started = all.some(({ startCpu }) => name in startCpu) ? `, ${later.toFixed(1)} after start` : '';
  return `${each.toFixed(1)}${started}${peaks.length > 0 ? ` (${Math.round(Math.max(...peaks))})` : ''}`;
}

function profileParts(service: string, { busySeconds, files, functions }: ProfileTop): string[] {
  return [
    `Profile of ${service}, self time of ${busySeconds.toFixed(1)} s that it was busy, after its start:`,
    table(
      ['%', 'file'],
      files.map(({ file, percent }) => [percent.toFixed(1), file]),
    ),
    table(
      ['%', 'function', 'file'],
      functions.map(({ name, file, percent }) => [percent.toFixed(1), `\`${name}\``, file]),
    ),
  ];
}

function median(all: readonly Sample[], of: (sample: Sample) => number): number {
  return spread(all.map(of)).median;
}

function range(values: readonly number[]): string {
  const { min, median: middle, max } = spread(values);
  return values.length === 1 ? number(middle) : [min, middle, max].map(number).join(' – ');
}

function number(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString('en-US') : value.toFixed(value >= 100 ? 0 : 2);
}
