import { type Lsn, ZERO_LSN } from '../postgres/lsn.ts';
import type { ManifestState } from './fold.ts';

/**
 * What may be acknowledged to the source: only what records say whose append was answered.
 * `state` is the writer's own fold, which takes a record when its append is answered, never before.
 * The value is the LSN itself: the end LSN of a commit is already one past its last byte, so no +1.
 */
export function acknowledgeable(state: ManifestState): Lsn {
  return state.slot?.consistentPoint == null ? ZERO_LSN : state.lsn;
}

export interface HeartbeatQuestion {
  readonly state: ManifestState;
  /** WAL end W of the last keepalive: the server has sent all that commits below it. */
  readonly walEnd: Lsn;
  /** Transactions received, begun or waiting, that no answered record holds. */
  readonly pending: number;
  readonly millisecondsSinceLast: number;
  readonly intervalMilliseconds: number;
  /** Somebody waits for a fence: at once instead of at the interval. */
  readonly fence: boolean;
}

/** Whether a heartbeat record that carries W may and should be appended now. */
export function heartbeatDue(question: HeartbeatQuestion): boolean {
  const { state, walEnd, pending, millisecondsSinceLast, intervalMilliseconds, fence } = question;
  const safe = pending === 0 && state.open === null && acknowledgeable(state) !== ZERO_LSN;
  const moved = walEnd > state.lsn;
  return safe && moved && (fence || millisecondsSinceLast >= intervalMilliseconds);
}
