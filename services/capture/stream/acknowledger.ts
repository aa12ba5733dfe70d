import { acknowledgeable } from '../../../shared/envelope/acknowledgement.ts';
import type { ManifestState } from '../../../shared/envelope/fold.ts';
import { type Lsn, ZERO_LSN } from '../../../shared/postgres/lsn.ts';
import { failpoint } from '../../../shared/service/failpoint.ts';

export interface AcknowledgerOptions {
  /** The writer's own fold: it holds a record only when the append was answered. */
  readonly state: ManifestState;
  readonly sendStatus: (lsn: Lsn, replyRequested: boolean) => void;
  /** Between two statuses that nobody asked for. */
  readonly intervalMilliseconds: number;
}

/** After an append, so that the source frees WAL early without a status for every batch. */
const SOON_MILLISECONDS = 50;

/**
 * Tells the source how far it may forget, and that we are alive: unasked on a timer, at once when asked,
 * and both while back-pressure keeps the socket from being read.
 */
export class Acknowledger {
  readonly #options: AcknowledgerOptions;
  #timer: NodeJS.Timeout | null = null;
  #soon: NodeJS.Timeout | null = null;
  #acknowledged: Lsn = ZERO_LSN;

  constructor(options: AcknowledgerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => this.send(true), this.#options.intervalMilliseconds);
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
    if (this.#soon) clearTimeout(this.#soon);
  }

  /** A manifest record was answered: more may be acknowledged. */
  advanced(): void {
    if (this.#soon || acknowledgeable(this.#options.state) === this.#acknowledged) return;
    this.#soon = setTimeout(() => {
      this.#soon = null;
      this.send(false);
    }, SOON_MILLISECONDS);
  }

  /** `replyRequested`: the source is to say its WAL end. */
  send(replyRequested: boolean): void {
    const lsn = acknowledgeable(this.#options.state);
    this.#options.sendStatus(lsn, replyRequested);
    if (lsn === this.#acknowledged) return;
    this.#acknowledged = lsn;
    failpoint('capture.after-acknowledge');
  }
}
