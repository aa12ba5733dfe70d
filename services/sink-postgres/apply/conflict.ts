import type { ChangeEvent } from '../../../shared/envelope/change-event.ts';
import { SluiceError } from '../../../shared/errors.ts';
import { quoteTable } from '../../../shared/postgres/identifiers.ts';
import { formatLsn } from '../../../shared/postgres/lsn.ts';
import type { ConflictPolicy } from '../../../shared/task/definition.ts';
import type { StoredConflict } from '../bookkeeping/position.ts';
import { placeOf } from './refusal.ts';

/**
 * Ways in which a change finds other rows at the destination than it found at the source:
 *   insert   meets a row of its key
 *   update   meets no row
 *   delete   meets no row
 *   key      an update that moves to a key meets a row there
 */
export type ConflictKind = 'insert' | 'update' | 'delete' | 'key';

const sayings: Readonly<Record<ConflictKind, string>> = {
  insert: 'an insert meets a row that is there already',
  update: 'an update meets no row',
  delete: 'a delete meets no row',
  key: 'an update of the key meets a row that is there already',
};

/** What one destination transaction met, counted by the policy; under `stop` the first one is an error. */
export class Conflicts {
  readonly #policy: ConflictPolicy;
  count = 0;
  last: StoredConflict | null = null;

  constructor(policy: ConflictPolicy) {
    this.#policy = policy;
  }

  /** @throws SluiceError DESTINATION_CONFLICT under `stop` */
  meet(kind: ConflictKind, event: ChangeEvent): void {
    if (this.#policy === 'stop') throw stopped(kind, event);
    const { shape, position, transaction } = event;
    const { schema, name } = shape;
    this.count += 1;
    this.last = { kind, schema, table: name, position: String(position), commitLsn: formatLsn(transaction.commitLsn) };
  }
}

function stopped(kind: ConflictKind, event: ChangeEvent): SluiceError {
  const { position, transaction } = event;
  return new SluiceError('DESTINATION_CONFLICT', `${placeOf(event)}: ${sayings[kind]}`, {
    context: { table: quoteTable(event.shape), position, commitLsn: formatLsn(transaction.commitLsn), conflict: kind },
  });
}
