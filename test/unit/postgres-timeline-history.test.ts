import { expect, test } from 'vitest';
import { parseLsn } from '../../shared/postgres/lsn.ts';
import { parseTimelineHistory } from '../../shared/postgres/system.ts';

test('a timeline history says where each earlier timeline ended', () => {
  const content = '1\t0/3000148\tno recovery target specified\n\n2\tA/B5000060\tbefore 2026-01-01 00:00:00+00\n';
  expect(parseTimelineHistory(content)).toEqual(
    new Map([
      [1, parseLsn('0/3000148')],
      [2, parseLsn('A/B5000060')],
    ]),
  );
  expect(parseTimelineHistory('').size).toBe(0);
});
