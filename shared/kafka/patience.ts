import type { SluiceError } from '../errors.ts';

/** How long trouble may last before it becomes an error. Progress clears it. */
export class Patience {
  readonly #since = new Map<string, number>();

  /** @throws the failure, when `subject` has been in trouble for `milliseconds` without progress. */
  trouble(subject: string, milliseconds: number, failure: SluiceError): void {
    const since = this.#since.get(subject);
    if (since === undefined) this.#since.set(subject, performance.now());
    else if (performance.now() - since >= milliseconds) throw failure;
  }

  progress(subject: string): void {
    this.#since.delete(subject);
  }
}
