import { describe, expect, it } from 'vitest';
import { type LagFacts, lagOf } from '../../services/control/observe/lag.ts';
import { bytesText, countText, durationText } from '../../services/control/observe/units.ts';
import { lsnFromBigint } from '../../shared/postgres/lsn.ts';

const MB = 1_000_000n;
const at = (value: bigint) => lsnFromBigint(value);
const level: LagFacts = {
  now: 100_000,
  walEnd: at(50n * MB),
  published: at(50n * MB),
  applied: at(50n * MB),
  publishedPosition: 7n,
  appliedPosition: 7n,
  publishedCommitTime: 40_000,
  appliedCommitTime: 40_000,
};

describe('lag', () => {
  it('is nothing when everything is applied, however long ago it was committed', () => {
    expect(lagOf(level)).toEqual({ bytes: 0, seconds: 0 });
  });

  it('takes WAL of an idle source as bytes, not as time', () => {
    expect(lagOf({ ...level, walEnd: at(50n * MB + 500n) })).toEqual({ bytes: 500, seconds: 0 });
  });

  it('counts from the last applied commit when the sink is behind', () => {
    const behind = { ...level, applied: at(49n * MB), appliedPosition: 5n, appliedCommitTime: 30_000 };
    expect(lagOf(behind)).toEqual({ bytes: 1_000_000, seconds: 70 });
  });

  it('counts from the last published commit when capture is behind', () => {
    expect(lagOf({ ...level, walEnd: at(90n * MB) })).toEqual({ bytes: 40_000_000, seconds: 60 });
  });

  it('is never below zero, should the clocks differ', () => {
    expect(lagOf({ ...level, appliedPosition: 5n, appliedCommitTime: 200_000, walEnd: at(1n) })).toEqual({
      bytes: 0,
      seconds: 0,
    });
  });
});

describe('numbers for people', () => {
  it.each([
    [bytesText(0), '0 B'],
    [bytesText(999), '999 B'],
    [bytesText(1500), '1.5 kB'],
    [bytesText(60_300_000), '60.3 MB'],
    [countText(1234567n), '1,234,567'],
    [durationText(0.04), '0.0 s'],
    [durationText(101), '1 min 41 s'],
    [durationText(7260), '2 h 1 min'],
  ])('%s', (found, expected) => {
    expect(found).toBe(expected);
  });
});
