import { ratioAims } from '../aims.ts';
import type { Outcome, Workload } from '../bench.ts';
import { rate, type Sample, spread } from '../measure/sample.ts';

export function reportText(outcomes: ReadonlyMap<Workload, Outcome>): string {
  const lines: string[] = [];
  for (const [workload, outcome] of outcomes) lines.push(...workloadText(workload, outcome), '');
  return `${lines.join('\n')}\n`;
}

function workloadText({ name, title }: Workload, { description, unit, samples, figures }: Outcome): string[] {
  const lines = [`### ${title} (\`${name}\`)`, '', description, ''];
  for (const [side, all] of Object.entries(samples)) {
    lines.push(`- ${side}: ${minMedianMax(all.map(rate), 0)} ${unit}/s; ${costs(all, unit)}`);
  }
  for (const { name: what, unit: of, values } of figures) lines.push(`- ${what}: ${minMedianMax(values, 2)} ${of}`);
  for (const { side, baseline, aim, floor } of ratioAims.filter(({ workload }) => workload === name)) {
    const [measured, against] = [samples[side], samples[baseline]];
    if (!measured || !against) continue;
    const ratios = measured.map((sample, round) => rate(sample) / rate(against[round] as Sample));
    lines.push(`- **${side} / ${baseline}: ${minMedianMax(ratios, 2)}** (aim ${aim}, floor ${floor})`);
  }
  return lines;
}

function costs(samples: readonly Sample[], unit: string): string {
  const names = [...new Set(samples.flatMap(({ cpu }) => Object.keys(cpu)))];
  const median = (of: (sample: Sample) => number) => spread(samples.map(of)).median;
  const cpu = names.map((name) => {
    const each = median((sample) => ((sample.cpu[name] ?? 0) * 1e6) / sample.units);
    const later = median((s) => (((s.cpu[name] ?? 0) - (s.startCpu[name] ?? 0)) * 1e6) / s.units);
    const peak = median((sample) => sample.peak[name] ?? 0);
    return `${name} ${each.toFixed(1)}${peak > 0 ? ` (after start ${later.toFixed(1)}; ${Math.round(peak)} MiB)` : ''}`;
  });
  const start = median(({ startSeconds }) => startSeconds ?? 0).toFixed(2);
  const seconds = median((sample) => sample.seconds).toFixed(2);
  const going = median((sample) => rate({ ...sample, seconds: sample.seconds - (sample.startSeconds ?? 0) })).toFixed(
    0,
  );
  return `start ${start} s of ${seconds} s, without it ${going} ${unit}/s; CPU us/${unit.slice(0, -1)}: ${cpu.join(', ')}`;
}

function minMedianMax(values: readonly number[], digits: number): string {
  const { min, median, max } = spread(values);
  return [min, median, max].map((value) => value.toFixed(digits)).join(' - ');
}
