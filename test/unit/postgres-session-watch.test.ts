import { describe, expect, test } from 'vitest';
import { judgeSession } from '../../shared/postgres/session-watch.ts';

/** What the server says of a session whose statement is unanswered. */
describe('judgeSession', () => {
  test.each([
    ['active', null],
    ['active', 'DataFileRead'],
    ['active', 'transactionid'],
    ['active', 'WalSenderWaitForWal'],
    ['fastpath function call', null],
    [null, null],
    ['disabled', null],
  ])('%s, waiting for %s: works', (state, waitEvent) => {
    expect(judgeSession({ state, waitEvent })).toBe('working');
  });

  test.each([
    ['idle', 'ClientRead'],
    ['idle in transaction', 'ClientRead'],
    ['idle in transaction (aborted)', 'ClientRead'],
    ['active', 'ClientRead'],
    ['active', 'ClientWrite'],
  ])('%s, waiting for %s: lost', (state, waitEvent) => {
    expect(judgeSession({ state, waitEvent })).toBe('lost');
  });

  test('no such session: lost', () => {
    expect(judgeSession(null)).toBe('lost');
  });
});
