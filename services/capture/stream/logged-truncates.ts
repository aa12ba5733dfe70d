import { SluiceError } from '../../../shared/errors.ts';
import { TRUNCATE_LOG } from '../../../shared/task/truncate-log.ts';
import type { PgoutputMessage, Relation } from './pgoutput-message.ts';

/**
 * Puts TRUNCATE into the stream of a server that does not decode it, from what its triggers log. Rows of the log that
 * follow each other are one statement's, or could be: several tables that refer to each other are truncated together.
 */
export class LoggedTruncates {
  #truncated = new Set<number>();

  /** The messages that stand for this one, in order. */
  translate(message: PgoutputMessage): readonly PgoutputMessage[] {
    switch (message.type) {
      case 'insert':
        if (!isLog(message.relation)) break;
        this.#truncated.add(oidIn(message.after[0]));
        return [];
      case 'delete':
        if (!isLog(message.relation)) break;
        return [];
      case 'relation':
      case 'type':
      case 'origin':
        return [message];
    }
    if (this.#truncated.size === 0) return [message];
    const relations = [...this.#truncated].map((oid) => ({ oid }));
    this.#truncated = new Set();
    return [{ type: 'truncate', relations, restartIdentity: false }, message];
  }
}

function isLog({ schema, name }: Relation): boolean {
  return schema === TRUNCATE_LOG.schema && name === TRUNCATE_LOG.name;
}

function oidIn(value: unknown): number {
  const oid = Number(String(value));
  if (Number.isInteger(oid) && oid > 0) return oid;
  throw new SluiceError('SOURCE_PROTOCOL', 'the log of TRUNCATEs holds a row without a table');
}
