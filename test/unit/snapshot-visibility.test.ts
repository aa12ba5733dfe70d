import { expect, test } from 'vitest';
import { parseVisibility } from '../../services/capture/snapshot/keeper.ts';

test('a snapshot as PostgreSQL writes it', () => {
  expect(parseVisibility('10:20:10,14,15')).toEqual({ xmin: 10n, xmax: 20n, running: [10n, 14n, 15n] });
  expect(parseVisibility('8589934592:8589934592:')).toEqual({ xmin: 8589934592n, xmax: 8589934592n, running: [] });
  expect(() => parseVisibility('')).toThrow();
});
