/** What an attempt opened, closed in the opposite order when it ends, however it ends. */
export class Closing implements AsyncDisposable {
  readonly #closers: (() => Promise<void>)[] = [];

  add<T>(opened: T, close: (opened: T) => Promise<void>): T {
    this.#closers.push(() => close(opened));
    return opened;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#closers.reverse()) await close().catch(() => undefined);
  }
}
