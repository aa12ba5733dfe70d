import { TEXT, type WireTuple } from '../../../shared/envelope/wire-tuple.ts';
import { SluiceError } from '../../../shared/errors.ts';
import { TRUNCATE_LOG } from '../../../shared/task/truncate-log.ts';
import type { PgoutputMessage, Relation } from './pgoutput-message.ts';

/**
 * Puts TRUNCATE into the stream of a server that does not decode it, from what its triggers log. Rows of the log that
 * follow each other are one statement's, or could be: several tables that refer to each other are truncated together.
 */
export class LoggedTruncates {
  #truncated = new Set<number>();

  /** What stands in the stream before this message; null: nothing. Asked again until `taken` is called. */
  before(message: PgoutputMessage): PgoutputMessage | null {
    if (this.#truncated.size === 0 || isLogged(message) || passing.has(message.type)) return null;
    return { type: 'truncate', relations: [...this.#truncated].map((oid) => ({ oid })), restartIdentity: false };
  }

  /** What was before the message is taken. */
  taken(): void {
    this.#truncated = new Set();
  }

  /** Whether the message itself is the log's, and nobody else's. */
  takes(message: PgoutputMessage): boolean {
    if (!isLogged(message)) return false;
    if (message.type === 'insert') this.#truncated.add(oidIn(message.after));
    return true;
  }
}

/** They say nothing of rows. */
const passing: ReadonlySet<PgoutputMessage['type']> = new Set(['relation', 'type', 'origin'] as const);

function isLogged(message: PgoutputMessage): boolean {
  return (message.type === 'insert' || message.type === 'delete') && isLog(message.relation);
}

function isLog({ schema, name }: Relation): boolean {
  return schema === TRUNCATE_LOG.schema && name === TRUNCATE_LOG.name;
}

function oidIn(row: WireTuple): number {
  const oid = row.length > 0 && row.kinds[0] === TEXT ? Number(row.text(0)) : Number.NaN;
  if (Number.isInteger(oid) && oid > 0) return oid;
  throw new SluiceError('SOURCE_PROTOCOL', 'the log of TRUNCATEs holds a row without a table');
}
