import type pg from 'pg';
import { type Logger, pino } from 'pino';
import { type Applied, applyWork } from '../../services/sink-postgres/apply/destination-transaction.ts';
import { TableTargets } from '../../services/sink-postgres/apply/table-targets.ts';
import { type AppliedPosition, createPosition } from '../../services/sink-postgres/bookkeeping/position.ts';
import { type Destination, openSession, openWriter } from '../../services/sink-postgres/bookkeeping/session.ts';
import { createBookkeeping } from '../../services/sink-postgres/bookkeeping/tables.ts';
import type { Change, ChangeEvent, TableShape } from '../../shared/envelope/change-event.ts';
import { type Lsn, ZERO_LSN } from '../../shared/postgres/lsn.ts';
import type { ConflictPolicy } from '../../shared/task/definition.ts';
import type { TestContext } from './context.ts';
import { postgresEndpoint } from './postgres-endpoint.ts';
import { EventLog, packed } from './sink-events.ts';

interface Sessions {
  readonly destination: Destination;
  readonly control: pg.Client;
  readonly client: pg.Client;
}

const start: Omit<AppliedPosition, 'lsn' | 'commitTime'> = {
  ...{ incarnation: 'i', clusterId: 'c', epoch: 'e', batch: 0n, position: 0n, manifestOffset: 0n },
};

/** The apply path of a sink on the context's destination, given events by hand. */
export class TestApplier {
  readonly destination: Destination;
  readonly control: pg.Client;
  readonly #client: pg.Client;
  #believed: AppliedPosition = { ...start, lsn: ZERO_LSN, commitTime: null };
  #targets: TableTargets;
  events = new EventLog();
  conflicts: ConflictPolicy = 'overwrite';
  fold = true;
  log: Logger = pino({ level: 'silent' });

  static async open(ctx: TestContext, { replicaRole = true } = {}): Promise<TestApplier> {
    const destination = { endpoint: postgresEndpoint(ctx.destination.url), identity: { task: ctx.task, sink: 'main' } };
    const control = await openSession(destination, 'control');
    await createBookkeeping(control);
    const client = await openWriter(destination, { role: 'apply', replicaRole });
    return new TestApplier({ destination, control, client });
  }

  private constructor({ destination, control, client }: Sessions) {
    this.destination = destination;
    this.control = control;
    this.#client = client;
    this.#targets = this.#newTargets();
  }

  /** As a sink that starts from nothing: nothing applied, nothing known of the tables. */
  async reset(): Promise<void> {
    await this.control.query('DELETE FROM sluice.position');
    this.#believed = { ...start, lsn: ZERO_LSN, commitTime: null };
    await createPosition(this.control, this.destination.identity, this.#believed);
    this.events = new EventLog();
    this.#targets = this.#newTargets();
  }

  /** Applies whole source transactions in one destination transaction. */
  async apply(...transactions: (readonly (readonly [TableShape, Change])[])[]): Promise<Applied> {
    const all = transactions.flatMap((changes) => this.events.transaction(changes));
    return await this.applyEvents(all, transactions.length);
  }

  async applyEvents(all: ChangeEvent[], transactions: number): Promise<Applied> {
    const { transaction, position } = all.at(-1)!;
    const batch = this.#believed.batch + 1n;
    const { commitTime } = transaction;
    const next = { ...this.#believed, batch, position, lsn: transaction.commitLsn as Lsn, commitTime };
    const parts = async function* () {
      yield packed(all);
    };
    const { destination, conflicts, fold, log } = this;
    const context = { client: this.#client, destination, targets: this.#targets, conflicts, fold, log };
    const applied = await applyWork(context, this.#believed, {
      parts,
      prepared: null,
      next,
      transactions,
      large: false,
    });
    this.#believed = next;
    return applied;
  }

  async close(): Promise<void> {
    await this.#client.end();
    await this.control.end();
  }

  #newTargets(): TableTargets {
    return new TableTargets(this.control, { takes: () => true, read: () => null });
  }
}
