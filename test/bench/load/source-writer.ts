import { setTimeout as delay } from 'node:timers/promises';
import type { TestDatabase } from '../../support/database.ts';
import { commitInLoop } from './tpcb.ts';

/** Each on a page of its own, mostly, so that it writes about 8 KB of WAL after a checkpoint. */
export const WRITES_PER_SECOND = 400;
const PER_TURN = 40;

/** Changes single rows of `accounts` at a steady pace, a transaction each. */
export class SourceWriter {
  readonly #source: TestDatabase;
  readonly #rows: number;
  #stopped = false;

  constructor(source: TestDatabase, rows: number) {
    this.#source = source;
    this.#rows = rows;
  }

  async run(): Promise<void> {
    const began = performance.now();
    for (let turn = 1; !this.#stopped; turn++) {
      const row = `1 + floor(random() * ${this.#rows})::int`;
      await commitInLoop(
        this.#source,
        PER_TURN,
        `chosen := ${row}; UPDATE accounts SET abalance = abalance + 1 WHERE aid = chosen`,
        'chosen int;',
      );
      await delay(Math.max(0, began + (turn * PER_TURN * 1000) / WRITES_PER_SECOND - performance.now()));
    }
  }

  stop(): void {
    this.#stopped = true;
  }
}
