import type pg from 'pg';

/** Statements that run as one transaction, unless they say otherwise themselves; or what takes a client to do. */
export type Change = string | ((client: pg.Client) => Promise<void>);

/** Tables with rows, and what is done to them once the stream runs; both ends must hold the same rows afterwards. */
export interface ChangeCase {
  /** Also the schema that its tables stand in. */
  readonly name: string;
  /** Schemas to compare, when there are more. */
  readonly schemas?: readonly string[];
  /** Run at the source and at each destination beforehand: what is not carried. */
  readonly everywhere?: string;
  readonly tables: string;
  /** Run at the destinations when the stream has begun. */
  readonly atDestination?: string;
  readonly changes: readonly Change[];
  /** A query at the destinations, and the value that it gives afterwards. */
  readonly afterwards?: readonly [sql: string, value: string];
}
