import type pg from 'pg';
import { MessageWriter } from './messages.ts';
import type { Statement } from './statements.ts';

/** What became of one statement: rows affected or found, and the last row that it gave. */
export interface Answer {
  readonly count: number;
  readonly row: readonly (string | null)[] | null;
}

/**
 * Sends the statements without waiting for the answer to one before the next is sent. The first that fails is the last
 * that is executed; the error is thrown when it comes. The caller begins and ends the transaction.
 */
export function runTogether(client: pg.Client, statements: readonly Statement[]): Promise<Answer[]> {
  return new Promise((resolve, reject) => {
    client.query(new Submission(statements, preparedBy(client), { resolve, reject }) as unknown as pg.Submittable);
  });
}

interface Prepared {
  readonly name: string;
  /** The session knows it for sure. */
  known: boolean;
}

/** Of each session its prepared statements, by their text. */
const preparedOf = new WeakMap<pg.Client, Map<string, Prepared>>();

function preparedBy(client: pg.Client): Map<string, Prepared> {
  const prepared = preparedOf.get(client) ?? new Map<string, Prepared>();
  preparedOf.set(client, prepared);
  return prepared;
}

interface Settled {
  readonly resolve: (answers: Answer[]) => void;
  readonly reject: (error: unknown) => void;
}

/** The part of pg's connection that is needed to write messages of our own. */
interface Wire {
  readonly stream: { write(bytes: Buffer): boolean; cork(): void; uncork(): void; readonly writable: boolean };
}

/** What pg calls while it is the session's turn: see Submittable and Query in pg. */
class Submission {
  readonly #statements: readonly Statement[];
  readonly #prepared: Map<string, Prepared>;
  readonly #settled: Settled;
  readonly #answers: Answer[] = [];
  readonly #new: Prepared[] = [];
  #row: Answer['row'] = null;

  constructor(statements: readonly Statement[], prepared: Map<string, Prepared>, settled: Settled) {
    this.#statements = statements;
    this.#prepared = prepared;
    this.#settled = settled;
  }

  submit({ stream }: Wire): void {
    if (!stream.writable) return;
    const messages = new MessageWriter((bytes) => stream.write(bytes));
    stream.cork();
    for (const statement of this.#statements) this.#write(messages, statement);
    messages.sync();
    stream.uncork();
  }

  handleDataRow({ fields }: { readonly fields: (string | null)[] }): void {
    this.#row = fields;
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    this.#answers.push({ count: Number(/\d+$/.exec(text)?.[0] ?? 0), row: this.#row });
    this.#row = null;
  }

  handleReadyForQuery(): void {
    this.#settled.resolve(this.#answers);
  }

  handleError(error: unknown): void {
    for (const prepared of this.#new) prepared.known = false;
    this.#settled.reject(error);
  }

  handleCopyInResponse(): void {}
  handleRowDescription(): void {}
  handlePortalSuspended(): void {}
  handleEmptyQuery(): void {}

  #write(messages: MessageWriter, { text, values, copy }: Statement): void {
    const prepared = this.#prepared.get(text) ?? { name: `sluice-set-${this.#prepared.size}`, known: false };
    if (!prepared.known) {
      this.#prepared.set(text, prepared);
      messages.prepare(prepared.name, text);
      prepared.known = true;
      this.#new.push(prepared);
    }
    messages.bind(prepared.name, values);
    messages.execute();
    if (copy) messages.copy(copy);
  }
}
