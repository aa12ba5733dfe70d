import type { TestDatabase } from '../database.ts';
import type { ListedEvent } from '../manifest-reader.ts';
import { ledger } from './schema.ts';

/** One transaction as the topics have it. */
interface SeenTransaction {
  readonly id: string;
  changes: number;
  entries: { client: number; number: bigint; changes: number | null }[];
}

/**
 * What the clients wrote into the ledger against the events that count: of each client every transaction from its
 * first in the stream on stands there once and in order, with as many changes as the server counted.
 * @returns what does not hold, and how many transactions were looked at
 */
export async function checkLedger(
  source: TestDatabase,
  events: readonly ListedEvent[],
): Promise<{ problems: string[]; transactions: number }> {
  const problems: string[] = [];
  const seen = transactionsOf(events);
  const numbers = new Map<number, bigint>();
  for (const { id, changes, entries } of seen) {
    const [entry] = entries;
    if (!entry || entries.length > 1) {
      problems.push(`transaction ${id}: ${entries.length} entries of the ledger`);
      continue;
    }
    const before = numbers.get(entry.client);
    if (before !== undefined && entry.number !== before + 1n) {
      problems.push(`client ${entry.client}: transaction ${entry.number} (${id}) after ${before}`);
    }
    numbers.set(entry.client, entry.number);
    if (entry.changes !== null && entry.changes + 1 !== changes) {
      problems.push(`transaction ${id}: ${changes} changes, the server counted ${entry.changes + 1}`);
    }
  }
  const rows = await source.query(`SELECT client, max(number) AS last, count(*) FROM ${ledger.table} GROUP BY client`);
  for (const { client, last, count } of rows) {
    const end = numbers.get(Number(client));
    if (last !== count) problems.push(`client ${client}: ${count} entries at the source, the last is ${last}`);
    if (end !== undefined && String(end) !== last) {
      problems.push(`client ${client}: the stream ends with transaction ${end}, the source with ${last}`);
    }
  }
  return { problems, transactions: seen.length };
}

function transactionsOf(events: readonly ListedEvent[]): SeenTransaction[] {
  const seen: SeenTransaction[] = [];
  for (const { event } of events) {
    const { txId, commit_lsn, schema, table, moved } = event.source;
    const id = `${txId}@${commit_lsn}`;
    if (seen.at(-1)?.id !== id) seen.push({ id, changes: 0, entries: [] });
    const transaction = seen.at(-1) as SeenTransaction;
    if (!moved && event.op !== 't') transaction.changes++;
    if (`${schema}.${table}` !== ledger.table) continue;
    const { client, number, changes } = event.after ?? {};
    transaction.entries.push({
      client: Number(client),
      number: BigInt(number as bigint),
      changes: changes == null ? null : Number(changes),
    });
  }
  return seen;
}
