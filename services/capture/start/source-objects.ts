import type pg from 'pg';
import type { RecordOf } from '../../../shared/envelope/manifest.ts';
import { describeEnd } from '../../../shared/postgres/connection.ts';
import { postgresFailure } from '../../../shared/postgres/failure.ts';
import { quoteIdentifier, quoteTable, type TableName } from '../../../shared/postgres/identifiers.ts';
import type { SelectedTable } from '../../../shared/task/selected-tables.ts';
import { publicationName, slotName, type Task } from '../../../shared/task/task.ts';
import { createTruncateTriggers, dropTruncateTriggers, TRUNCATE_LOG } from '../../../shared/task/truncate-log.ts';

/** Replica identities as they were, of the tables that get REPLICA IDENTITY FULL. */
export type ReplicaIdentities = RecordOf<'epoch'>['replicaIdentities'];

/** The tables that need another replica identity, as they are now; the epoch record lists them before they change. */
export function identitiesToChange(task: Task, tables: readonly SelectedTable[]): ReplicaIdentities {
  if (!task.types.has('incremental') || task.source.replicaIdentity !== 'full') return [];
  return tables
    .filter(({ identityUsable, fullUsable }) => !identityUsable && fullUsable)
    .map(({ shape, replicaIdentity: { was, index } }) => ({ schema: shape.schema, name: shape.name, was, index }));
}

/** What a task has at its source, made in this order and removed in the other: identities, publication, slot. */
export class SourceObjects {
  readonly #sql: pg.Client;
  readonly #task: Task;

  constructor(sql: pg.Client, task: Task) {
    this.#sql = sql;
    this.#task = task;
  }

  async setIdentities(identities: ReplicaIdentities): Promise<void> {
    for (const table of identities) await this.#run(`ALTER TABLE ${quoteTable(table)} REPLICA IDENTITY FULL`);
  }

  /** Only tables that stand as Sluice left them. */
  async restoreIdentities(identities: ReplicaIdentities): Promise<void> {
    for (const table of identities)
      await this.#run(`ALTER TABLE ${quoteTable(table)} REPLICA IDENTITY ${identityClause(table)}`);
  }

  /**
   * Committed before the slot is made: a change between slot and publication would wedge the slot for good.
   * Tables by name, no filters: a filter on a column outside the key would make the application's updates fail.
   */
  async createPublication(tables: readonly TableName[]): Promise<void> {
    const list = tables.map((table) => `ONLY ${quoteTable(table)}`).join(', ');
    const name = quoteIdentifier(publicationName(this.#task.name));
    await this.dropPublication();
    await this.#run(`CREATE PUBLICATION ${name} FOR TABLE ${list}`);
  }

  async dropPublication(): Promise<void> {
    await this.#run(`DROP PUBLICATION IF EXISTS ${quoteIdentifier(publicationName(this.#task.name))}`);
  }

  /** Oids of the tables that the publication lists, the log of TRUNCATEs aside. */
  async publishedTables(): Promise<Set<number>> {
    const { rows } = await this.#sql.query<{ oid: string }>(
      `SELECT r.prrelid AS oid FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
       WHERE p.pubname = $1 AND r.prrelid IS DISTINCT FROM to_regclass($2)`,
      [publicationName(this.#task.name), quoteTable(TRUNCATE_LOG)],
    );
    return new Set(rows.map(({ oid }) => Number(oid)));
  }

  async createTruncateTriggers(tables: readonly TableName[], signal: AbortSignal): Promise<void> {
    await this.#place(createTruncateTriggers(this.#sql, this.#task.name, { tables, signal }));
  }

  async dropTruncateTriggers(signal: AbortSignal): Promise<void> {
    await this.#place(dropTruncateTriggers(this.#sql, this.#task.name, signal));
  }

  async dropSlot(): Promise<void> {
    const name = slotName(this.#task.name);
    await this.#run('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1', [
      name,
    ]);
  }

  async #run(text: string, values: unknown[] = []): Promise<void> {
    await this.#place(this.#sql.query(text, values));
  }

  async #place(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      throw postgresFailure(error, describeEnd(this.#task.source.endpoint, 'source'));
    }
  }
}

function identityClause({ was, index }: ReplicaIdentities[number]): string {
  if (was === 'i' && index !== null) return `USING INDEX ${quoteIdentifier(index)}`;
  return { d: 'DEFAULT', n: 'NOTHING', f: 'FULL', i: 'DEFAULT' }[was];
}
