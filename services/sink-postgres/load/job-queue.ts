/** Jobs handed to workers in order; a full queue makes the giver wait. The first failure is everybody's. */
export class JobQueue<Job> {
  readonly #capacity: number;
  readonly #jobs: Job[] = [];
  #closed = false;
  #failure: { readonly error: unknown } | null = null;
  #waiting: (() => void)[] = [];
  #failed: () => void = () => undefined;
  /** Resolves at the first failure: jobs that were taken or wait may never be done then. */
  readonly failed: Promise<void>;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.failed = new Promise((resolve) => {
      this.#failed = resolve;
    });
  }

  /** @throws what a worker met */
  async put(job: Job): Promise<void> {
    while (this.#jobs.length >= this.#capacity && !this.#failure) await this.#change();
    this.check();
    this.#jobs.push(job);
    this.#wake();
  }

  /** null: there will be none any more. */
  async take(): Promise<Job | null> {
    for (;;) {
      if (this.#failure) return null;
      const job = this.#jobs.shift();
      if (job !== undefined) {
        this.#wake();
        return job;
      }
      if (this.#closed) return null;
      await this.#change();
    }
  }

  /** Ends the workers when all jobs are taken. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  /** Ends the workers now. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#failed();
    this.#wake();
  }

  /** @throws what a worker met */
  check(): void {
    if (this.#failure) throw this.#failure.error;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
