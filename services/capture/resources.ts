interface Closable {
  close(): Promise<void>;
}

/** What an attempt has opened, closed in the other order at its end. */
export class Resources {
  readonly #open: Closable[] = [];

  add<T extends Closable>(resource: T): T {
    this.#open.push(resource);
    return resource;
  }

  /** Closes all, also when one of them fails to: the attempt is over already. */
  async close(): Promise<void> {
    for (const resource of this.#open.reverse()) await resource.close().catch(() => undefined);
  }
}
