import type pg from 'pg';
import { connect, describeEnd, type PostgresEndpoint } from '../../../shared/postgres/connection.ts';
import { postgresFailure } from '../../../shared/postgres/failure.ts';

/**
 * At most `size` sessions at the source, opened when first needed, given to those who ask in the order of asking.
 * A session in which something failed is not used again.
 */
export class SourcePool {
  readonly #endpoint: PostgresEndpoint;
  readonly #applicationName: string;
  readonly #size: number;
  #open = new Set<pg.Client>();
  #idle: pg.Client[] = [];
  #busy = 0;
  #waiting: (() => void)[] = [];

  constructor(endpoint: PostgresEndpoint, applicationName: string, size: number) {
    this.#endpoint = endpoint;
    this.#applicationName = applicationName;
    this.#size = size;
  }

  /** @throws SluiceError POSTGRES_* and what the work throws; SIGNAL's reason when it was aborted. */
  async run<T>(signal: AbortSignal, work: (client: pg.Client) => Promise<T>): Promise<T> {
    await this.#enter();
    let client: pg.Client | undefined;
    try {
      signal.throwIfAborted();
      client = this.#idle.pop() ?? (await this.#connect());
      const result = await work(client);
      this.#idle.push(client);
      return result;
    } catch (error) {
      if (client) this.#drop(client);
      signal.throwIfAborted();
      throw postgresFailure(error, describeEnd(this.#endpoint, 'source'));
    } finally {
      this.#leave();
    }
  }

  /** Ends all sessions at once; work under way fails. */
  destroy(): void {
    for (const client of this.#open) this.#drop(client);
    this.#idle = [];
  }

  async #connect(): Promise<pg.Client> {
    const applicationName = this.#applicationName;
    const client = await connect(this.#endpoint, { applicationName, end: 'source', readsInPlace: true });
    this.#open.add(client);
    return client;
  }

  /** A session in the middle of a COPY does not take a polite end. */
  #drop(client: pg.Client): void {
    this.#open.delete(client);
    client.connection.stream.destroy();
  }

  async #enter(): Promise<void> {
    if (this.#busy < this.#size) this.#busy += 1;
    else await new Promise<void>((go) => this.#waiting.push(go));
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#busy -= 1;
  }
}
