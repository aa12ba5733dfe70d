import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { isSameRequest, type Request, readRequest } from '../bookkeeping/requests.ts';
import type { SinkIdentity } from '../bookkeeping/tables.ts';
import type { Bell } from '../consume/bell.ts';

const POLL_MS = 200;

/** What control asks now, looked up again and again on a connection of its own; rings when it changes. */
export class RequestWatch {
  readonly #client: pg.Client;
  readonly #identity: SinkIdentity;
  readonly #bell: Bell;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #current: Request | null;
  #failure: { readonly error: unknown } | null = null;

  static async open(client: pg.Client, identity: SinkIdentity, bell: Bell): Promise<RequestWatch> {
    return new RequestWatch(await readRequest(client, identity), { client, identity, bell });
  }

  private constructor(
    current: Request | null,
    { client, identity, bell }: { client: pg.Client; identity: SinkIdentity; bell: Bell },
  ) {
    this.#client = client;
    this.#identity = identity;
    this.#bell = bell;
    this.#current = current;
    this.#done = this.#run();
  }

  /** Throws what looking it up threw. */
  get current(): Request | null {
    if (this.#failure) throw this.#failure.error;
    return this.#current;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    try {
      while (!signal.aborted) {
        await delay(POLL_MS, undefined, { signal }).catch(() => undefined);
        if (signal.aborted) return;
        const request = await readRequest(this.#client, this.#identity);
        if (isSameRequest(request, this.#current)) continue;
        this.#current = request;
        this.#bell.ring();
      }
    } catch (error) {
      this.#failure = { error };
      this.#bell.ring();
    }
  }
}
