import { expect, test } from 'vitest';
import { type Check, checksOf, verdictOf } from '../bench/checks.ts';
import { topOf } from '../bench/measure/profile.ts';
import { type Sample, spread } from '../bench/measure/sample.ts';

const sample = (given: Partial<Sample>): Sample => ({
  seconds: 1,
  units: 100,
  startSeconds: null,
  cpu: {},
  startCpu: {},
  peak: {},
  wal: null,
  ...given,
});

test('minimum, median and maximum', () => {
  expect(spread([3, 1, 2])).toEqual({ min: 1, median: 2, max: 3 });
  expect(spread([4, 1, 2, 3])).toEqual({ min: 1, median: 2.5, max: 4 });
});

test('a verdict follows from the median as it is printed', () => {
  const more = (...values: number[]): Check => {
    return { workload: 'w', what: 'x', unit: '', values, better: 'more', aim: 1, floor: 0.5 };
  };
  expect(verdictOf(more(0.1, 0.996, 9))).toBe('met');
  expect(verdictOf(more(9, 0.994, 0.1))).toBe('aim missed');
  expect(verdictOf(more(0.5))).toBe('aim missed');
  expect(verdictOf(more(9, 0.49, 0.1))).toBe('below the floor');
  const less: Check = { ...more(), better: 'less', aim: 15, floor: 15 };
  expect(verdictOf({ ...less, values: [1, 15, 99] })).toBe('met');
  expect(verdictOf({ ...less, values: [1, 15.1, 99] })).toBe('below the floor');
});

test('ratios pair a side with its baseline round by round', () => {
  const samples = {
    native: [sample({ seconds: 1 }), sample({ seconds: 2 })],
    sluice: [sample({ seconds: 2 }), sample({ seconds: 1 })],
  };
  const checks = checksOf('drain-tpcb', { samples, figures: [] });
  expect(checks.find(({ what }) => what === 'sluice / native')?.values).toEqual([0.5, 2]);
  expect(checks.filter(({ what }) => what.startsWith('capture alone'))).toEqual([]);
});

test('the largest of all rounds counts for memory and WAL, the source pays for its own rows', () => {
  const cpu = (source: number) => ({ source });
  const samples = {
    native: [sample({ cpu: cpu(2) }), sample({ cpu: cpu(2), units: 200 })],
    sluice: [
      sample({ cpu: cpu(1), peak: { capture: 100 }, wal: { kept: 900, unacknowledged: 65 } }),
      sample({ cpu: cpu(1), peak: { capture: 300 }, wal: { kept: 900, unacknowledged: 1 } }),
    ],
  };
  const checks = checksOf('drain-tpcb', { samples, figures: [] });
  const valuesOf = (text: string) => checks.find(({ what }) => what.startsWith(text))?.values;
  expect(valuesOf('capture resident')).toEqual([300]);
  expect(valuesOf('WAL sent')).toEqual([65]);
  expect(valuesOf('CPU of the source')).toEqual([0.5, 1]);
});

test('a profile counts own time of all threads, without idle time and without the start', () => {
  const node = (id: number, functionName: string, url = '') => ({ id, callFrame: { functionName, url } });
  const nodes = [node(1, '(idle)'), node(2, 'decode', 'file:///a/node_modules/pkg/x.js'), node(3, 'load', 'node:fs')];
  const second = 1_000_000;
  const top = topOf(
    [
      { nodes, samples: [3, 2, 1, 2], timeDeltas: [2 * second, second, 5 * second, second] },
      { nodes, samples: [1, 3], timeDeltas: [3 * second, 2 * second] },
    ],
    2,
  );
  expect(top.busySeconds).toBe(4);
  expect(top.functions).toEqual([
    { name: 'decode', file: 'pkg/x.js', percent: 50 },
    { name: 'load', file: 'node:fs', percent: 50 },
  ]);
});
