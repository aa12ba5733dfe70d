import type pg from 'pg';
import type { SchemaObject } from '../../../shared/envelope/schema-object.ts';
import { type ErrorCode, errorCatalogue } from '../../../shared/errors.ts';
import type { Kafka } from '../../../shared/kafka/interfaces.ts';
import type { TableName } from '../../../shared/postgres/identifiers.ts';
import type { LeftOutTable, SelectedTable } from '../../../shared/task/selected-tables.ts';
import type { Task } from '../../../shared/task/task.ts';

/**
 * A problem that was found. Not to be able to look is an error, which is thrown.
 * `error`: the task would fail or lose data. `warning`: an operator should know.
 */
export interface Finding {
  readonly check: string;
  readonly severity: 'error' | 'warning';
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy: string;
}

export interface PrecheckContext {
  readonly task: Task;
  readonly source: pg.Client;
  readonly destination: pg.Client;
  readonly kafka: Kafka;
  readonly tables: readonly SourceTable[];
  readonly leftOut: readonly LeftOutTable[];
  /** What the schema migration would create; empty without it. */
  readonly objects: readonly SchemaObject[];
}

/** A table that the task carries, and what the account may do with it. */
export interface SourceTable extends TableName {
  readonly selected: SelectedTable;
  /** The account is its owner, or a member of the owning role. */
  readonly owned: boolean;
  readonly readable: boolean;
  /** A row security policy would hide rows from the account. */
  readonly rowSecurity: boolean;
}

/** What is looked at, and the pure judgement of what was seen. */
export interface Precheck<Facts> {
  readonly name: string;
  /** Left out when it says that the task does not need it. */
  readonly when?: (task: Task) => boolean;
  readonly look: (context: PrecheckContext) => Promise<Facts>;
  readonly judge: (facts: Facts, task: Task) => readonly Problem[];
}

/** A finding before its precheck's name and the catalogue's remedy are added. */
export interface Problem {
  readonly severity?: 'warning';
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy?: string;
}

export interface RunnablePrecheck {
  readonly name: string;
  run(context: PrecheckContext): Promise<Finding[]>;
}

export function precheck<Facts>(check: Precheck<Facts>): RunnablePrecheck {
  return {
    name: check.name,
    async run(context) {
      if (check.when && !check.when(context.task)) return [];
      return check.judge(await check.look(context), context.task).map((problem) => finding(check.name, problem));
    },
  };
}

export function finding(check: string, problem: Problem): Finding {
  const { severity = 'error', code, message, remedy = errorCatalogue[code].remedy } = problem;
  return { check, severity, code, message, remedy };
}

export function migratesSchema(task: Task): boolean {
  return task.types.has('schema');
}

export function streams(task: Task): boolean {
  return task.types.has('incremental');
}

/** The first names, and how many more: messages stay readable with a thousand tables. */
export function someNames(names: readonly string[], most = 10): string {
  const shown = names.slice(0, most).join(', ');
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}
