import type { ReplicaIdentity } from '../../../shared/envelope/change-event.ts';
import type { WireTuple } from '../../../shared/envelope/wire-tuple.ts';
import type { Lsn } from '../../../shared/postgres/lsn.ts';

/** A table as the WAL's own catalog view describes it. */
export interface Relation {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly identity: ReplicaIdentity;
  readonly columns: readonly RelationColumn[];
}

export interface RelationColumn {
  /** Part of the replica identity; under FULL every column is. */
  readonly key: boolean;
  readonly name: string;
  readonly typeOid: number;
  readonly typmod: number;
}

/**
 * Messages of pgoutput's protocol version 1. Those of rows, and their tuples, are the decoder's: they are valid until it
 * decodes the next one. `before` is unknown in columns that a key-only tuple does not carry.
 */
export type PgoutputMessage =
  | BeginMessage
  | CommitMessage
  | { readonly type: 'relation'; readonly relation: Relation }
  | InsertMessage
  | UpdateMessage
  | DeleteMessage
  | {
      readonly type: 'truncate';
      readonly relations: readonly Pick<Relation, 'oid'>[];
      readonly restartIdentity: boolean;
    }
  | { readonly type: 'message'; readonly transactional: boolean; readonly lsn: Lsn; readonly prefix: string }
  | { readonly type: 'origin' }
  | { readonly type: 'type' };

export interface InsertMessage {
  readonly type: 'insert';
  relation: Relation;
  readonly after: WireTuple;
}

export interface UpdateMessage {
  readonly type: 'update';
  relation: Relation;
  before: WireTuple | null;
  readonly after: WireTuple;
}

export interface DeleteMessage {
  readonly type: 'delete';
  relation: Relation;
  readonly before: WireTuple;
}

export interface BeginMessage {
  readonly type: 'begin';
  readonly commitLsn: Lsn;
  /** Microseconds since 1970-01-01 UTC. */
  readonly commitTime: bigint;
  readonly xid: number;
}

export interface CommitMessage {
  readonly type: 'commit';
  readonly commitLsn: Lsn;
  /** One past the last byte of the commit record. */
  readonly endLsn: Lsn;
  readonly commitTime: bigint;
}
