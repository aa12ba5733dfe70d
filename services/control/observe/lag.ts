import type { Lsn } from '../../../shared/postgres/lsn.ts';

export interface LagFacts {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** The source's WAL now, up to where the manifest counts, and up to where the destination has applied. */
  readonly walEnd: Lsn;
  readonly published: Lsn;
  readonly applied: Lsn;
  readonly publishedPosition: bigint;
  readonly appliedPosition: bigint;
  /**
   * Commit times of the last published and the last applied transaction, in milliseconds since 1970; null: none yet.
   * Before anything is applied the second one is the first published transaction's.
   */
  readonly publishedCommitTime: number | null;
  readonly appliedCommitTime: number | null;
}

export interface Lag {
  readonly bytes: number;
  readonly seconds: number;
}

/** WAL of an idle source (checkpoints, other databases) that a heartbeat will carry is not lag. */
const IDLE_BYTES = 1n << 20n;

/**
 * How far the destination is behind the source: in bytes of WAL; in seconds by the commit time of the last applied
 * transaction, 0 when nothing is waiting.
 */
export function lagOf(facts: LagFacts): Lag {
  const bytes = facts.walEnd > facts.applied ? facts.walEnd - facts.applied : 0n;
  return { bytes: Number(bytes), seconds: Math.max(0, secondsBehind(facts)) };
}

function secondsBehind(facts: LagFacts): number {
  const since = (time: number | null) => (time === null ? 0 : (facts.now - time) / 1000);
  if (facts.appliedPosition < facts.publishedPosition) return since(facts.appliedCommitTime);
  return facts.walEnd - facts.published > IDLE_BYTES ? since(facts.publishedCommitTime) : 0;
}
