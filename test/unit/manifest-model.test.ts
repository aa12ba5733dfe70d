import { describe, expect, it } from 'vitest';
import { explore } from './model/explorer.ts';
import type { Bounds, Rules } from './model/world.ts';

type Parts = 0 | 1 | 2;

function bounds(parts: readonly Parts[], epochs: number, log: number, slotMade = false): Bounds {
  return { transactions: parts.map((count) => ({ parts: count })), epochs, log, slotMade };
}

/** Exhaustive within these bounds: every interleaving of two writers, crashes, lost answers, late appends and a sink. */
const sound: readonly [string, Bounds, Partial<Rules>][] = [
  ['from nothing: epoch, slot, first transaction', bounds([1], 2, 7), {}],
  ['three epochs over a large transaction', bounds([1, 2], 3, 8, true), {}],
  ['transactions of which nothing is selected', bounds([1, 0, 1], 2, 8, true), {}],
  ['appends that a client retries', bounds([1], 2, 6, true), { retryAppends: true }],
  ['checkpoints, that readers begin at', bounds([2], 3, 7, true), { checkpoints: true }],
  ['checkpoints that a client retries', bounds([1], 2, 6, true), { checkpoints: true, retryAppends: true }],
];

/**
 * `at` and the epoch guard each other: without retries either alone is enough (the exploration finds nothing), so the
 * counterexamples against them switch off both, or bring the retries that `at` is there for.
 */
const unsound: readonly [string, Bounds, Partial<Rules>][] = [
  ['at ignored, appends retried', bounds([1, 1], 2, 7), { checkAt: 'none', retryAppends: true }],
  ['epoch and at ignored', bounds([1, 1], 2, 7), { checkAt: 'none', checkEpoch: false }],
  ['epochs used twice, at ignored', bounds([1], 3, 8), { checkAt: 'none', uniqueEpochs: false }],
  ['open parts not voided by an epoch', bounds([2], 2, 8), { voidOpen: false }],
  ['an answer with another offset accepted', bounds([1, 1], 2, 8), { checkAnsweredOffset: false }],
  ['acknowledged: one past the end LSN', bounds([1, 1], 2, 8), { acknowledge: 'plus one' }],
  ['acknowledged: before the answer', bounds([1, 1], 2, 8), { acknowledge: 'sent' }],
  ['acknowledged: what was received', bounds([1, 0, 1], 2, 8), { acknowledge: 'received' }],
  ['resumed at the commit LSN', bounds([1, 1], 2, 8), { resumeAt: 'commit LSN' }],
  [
    'the newest checkpoint taken wherever it stands',
    bounds([1, 1], 2, 8, true),
    { checkpoints: true, checkpointTrust: 'newest' },
  ],
  ['position written apart from the changes', bounds([1, 1], 1, 6), { sinkPositionInTransaction: false }],
];

describe('the manifest under every interleaving', () => {
  it.each(sound)(
    '%s: nothing lost, doubled or reordered',
    (_name, world, rules) => {
      const outcome = explore(world, rules);
      expect(outcome.violation, outcome.trace.join('\n')).toBeNull();
      expect(outcome.completed).toBe(true);
      expect(outcome.states).toBeGreaterThan(1000);
    },
    120_000,
  );

  it.each(unsound)(
    '%s: a counterexample',
    (_name, world, rules) => {
      const outcome = explore(world, rules);
      expect(outcome.violation).not.toBeNull();
      expect(outcome.violation).not.toContain('too large');
      expect(outcome.trace.length).toBeGreaterThan(3);
    },
    120_000,
  );
});
