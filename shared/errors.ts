/**
 * Every failure that Sluice reports is a SluiceError with a code of this catalogue.
 * The catalogue is the one place that says whether an attempt may be repeated, with which code the
 * process exits, and what the operator should do. docs/errors.md is checked against it by a test.
 */

/** `retry`: the attempt may be taken again, with backoff, within the retry time. `stop`: only an operator can help. */
export type RetryPolicy = 'retry' | 'stop';

/** Process exit codes, after sysexits(3) where one fits. */
export const ExitCode = {
  ok: 0,
  failed: 1,
  usage: 2,
  different: 3,
  findings: 4,
  data: 65,
  unavailable: 69,
  internal: 70,
  config: 78,
  interrupted: 130,
} as const;

export interface ErrorEntry {
  readonly retry: RetryPolicy;
  readonly exit: number;
  /** What happened, as one sentence without values. */
  readonly cause: string;
  /** What the operator does about it. */
  readonly remedy: string;
}

const retry = (cause: string, remedy: string): ErrorEntry => ({
  retry: 'retry',
  exit: ExitCode.unavailable,
  cause,
  remedy,
});
const stop = (cause: string, remedy: string, exit: number = ExitCode.data): ErrorEntry => ({
  retry: 'stop',
  exit,
  cause,
  remedy,
});

/** Nothing of the task can be used any more: what is left of it goes, then it is started as if it were new. */
const START_ANEW =
  'Start anew: sluice release --topics --bookkeeping, drop what was migrated at the destination, sluice migrate.';

export const errorCatalogue = {
  // configuration
  CONFIG_INVALID: stop(
    'The command line or the task definition is wrong.',
    'Correct the named settings; docs/configuration.md describes each.',
    ExitCode.config,
  ),
  TASK_DEFINITION_CHANGED: stop(
    'The task was started with another selection, other migration types or another number of partitions.',
    'Take the earlier definition again, or release the task and start a new one.',
    ExitCode.config,
  ),
  INTERNAL: stop(
    'Sluice met a state that it believed impossible.',
    'Report it with the log; the task can be started again.',
    ExitCode.internal,
  ),

  // PostgreSQL, either end
  POSTGRES_UNREACHABLE: retry(
    'A PostgreSQL server cannot be reached, or ended the connection.',
    'Check that the server runs and that host and port are right and reachable from here.',
  ),
  POSTGRES_RESOURCES: retry(
    'A PostgreSQL server is out of disk space, memory or connections.',
    'Make room at the named server. The attempt is taken again by itself.',
  ),
  POSTGRES_AUTH_FAILED: stop(
    'PostgreSQL refused the account or the password.',
    'Check user, password and pg_hba.conf of the named server.',
    ExitCode.config,
  ),
  POSTGRES_DATABASE_MISSING: stop(
    'The named database does not exist.',
    'Create it, or correct the name in the URL.',
    ExitCode.config,
  ),
  POSTGRES_TLS_FAILED: stop(
    'The TLS connection to PostgreSQL could not be made as asked.',
    'Check sslmode, CA, certificate and key of the named server.',
    ExitCode.config,
  ),
  POSTGRES_PERMISSION_DENIED: stop(
    'The account lacks a right that Sluice needs.',
    'Grant what the message names; docs/operations.md lists the rights.',
  ),
  POSTGRES_FAILED: stop(
    'PostgreSQL refused a statement.',
    "Read the server's message; after the cause is removed, start the task again.",
  ),

  // source
  SOURCE_WAL_LEVEL: stop(
    'wal_level of the source is not logical.',
    'Set wal_level = logical on the source and restart it.',
    ExitCode.findings,
  ),
  SOURCE_NO_SLOT_FREE: stop(
    'The source has no free replication slot or WAL sender.',
    'Raise max_replication_slots or max_wal_senders, or drop what is not used.',
    ExitCode.findings,
  ),
  SOURCE_SLOT_WAIT: stop(
    'Slot creation waited too long for a running transaction of the source.',
    'End the named transaction, or raise source.slotTimeoutSeconds.',
  ),
  SOURCE_TASK_RUNNING: stop(
    'Another capture of this task holds the lock at the source.',
    'Stop it first, or start this one with --take-over.',
    ExitCode.failed,
  ),
  SOURCE_SLOT_MISSING: stop(
    'The replication slot of the task is gone: changes since its last acknowledgement are lost.',
    START_ANEW,
  ),
  SOURCE_SLOT_INVALID: stop(
    'The source invalidated the replication slot of the task: WAL that it needs was removed.',
    `Raise max_slot_wal_keep_size (or idle_replication_slot_timeout) at the source. ${START_ANEW}`,
  ),
  SOURCE_SLOT_AHEAD: stop(
    'The slot was acknowledged past what the manifest holds: changes are missing in Kafka.',
    `Somebody else moved the slot, or Kafka lost records. ${START_ANEW}`,
  ),
  SOURCE_PUBLICATION_CHANGED: stop(
    'The publication of the task is gone, or lists other tables than the task publishes.',
    `Somebody else changed it: changes may be missing. ${START_ANEW}`,
  ),
  SOURCE_OTHER_SYSTEM: stop(
    'The source is another PostgreSQL cluster or database than the one this task was started on.',
    `Point the task at the database it was started on, or give the other one a task name of its own. ${START_ANEW}`,
  ),
  SOURCE_OTHER_TIMELINE: stop(
    'The source was restored or promoted before the point up to which changes were published.',
    `Topics and destination hold changes that the source no longer has. ${START_ANEW}`,
  ),
  SOURCE_RESTORED: stop(
    'The source was restored from a backup that lacks changes which were published.',
    `Bring back the source that has them; else topics and destination hold what the source never had. ${START_ANEW}`,
  ),
  SOURCE_SLOT_IN_USE: stop(
    'Somebody else reads from the replication slot of the task.',
    'End the named session, or start with --take-over, which ends it; whether it moved the slot is looked at then.',
    ExitCode.failed,
  ),
  SOURCE_OBJECTS_WITHOUT_MANIFEST: stop(
    'The source holds slot or publication of this task, but its manifest topic is empty.',
    `The topics were deleted. ${START_ANEW}`,
  ),
  SOURCE_TABLE_CHANGED: stop(
    'A selected table changed its shape while it was streamed; DDL is not carried yet.',
    'Apply the same change at the destination by a new task: release this one and start again.',
  ),
  SOURCE_TABLE_RESHAPED: retry(
    'A selected table changed while it was read for the first time.',
    'The attempt is taken again by itself: the table is read anew, as it is by then.',
  ),
  SOURCE_TABLE_REWRITTEN: stop(
    'A selected table was rewritten while it was read.',
    'Start the task again: the table is read anew.',
  ),
  SOURCE_NO_REPLICA_IDENTITY: stop(
    'A selected table has no usable replica identity: its updates and deletes could not be carried.',
    'Give it a primary key without generated columns, or ALTER TABLE ... REPLICA IDENTITY FULL, or set source.replicaIdentity: full. From PostgreSQL 18 on FULL does not go with generated columns: the server would refuse its updates.',
    ExitCode.findings,
  ),
  SOURCE_PROTOCOL: stop(
    'The replication stream holds something that Sluice does not understand.',
    'Report it with the log; nothing was acknowledged beyond it.',
    ExitCode.internal,
  ),
  SOURCE_ENCODING: stop(
    'The source holds bytes that are not valid UTF-8 in a text value.',
    'Correct the named rows at the source.',
  ),
  SOURCE_STREAM_ENDED: retry('The replication stream ended.', 'The attempt is taken again by itself.'),

  // Kafka and registry
  KAFKA_UNREACHABLE: retry(
    'No Kafka broker can be reached.',
    'Check kafka.brokers, TLS and SASL settings, and that the brokers run.',
  ),
  KAFKA_AUTH_FAILED: stop(
    'Kafka refused the credentials or a right.',
    'Check SASL settings and the ACLs of the account.',
    ExitCode.config,
  ),
  KAFKA_TLS_FAILED: stop(
    'The TLS connection to Kafka could not be made as asked.',
    'Check kafka.tls: CA, certificate, key, and that the brokers speak TLS on the named port.',
    ExitCode.config,
  ),
  KAFKA_PRODUCE_FAILED: retry(
    'Kafka did not confirm records as written, or not as expected.',
    'The attempt is taken again by itself; what is in doubt counts for nobody.',
  ),
  KAFKA_FETCH_FAILED: retry('Kafka did not deliver records.', 'The attempt is taken again by itself.'),
  KAFKA_TOPIC_SETTINGS: stop(
    'A topic of the task exists with other settings than the task needs.',
    'Correct the named settings of the topic, or choose another task name.',
    ExitCode.findings,
  ),
  KAFKA_TOPIC_MISSING: stop(
    'A topic of the task is gone.',
    `Restore it with its records. If that cannot be: ${START_ANEW}`,
  ),
  KAFKA_RECORDS_GONE: stop(
    'Kafka no longer holds records that the manifest lists.',
    `They were deleted, expired or lost. Restore them at their offsets. If that cannot be: ${START_ANEW}`,
  ),
  KAFKA_RECORD_TOO_LARGE: stop(
    'A row is larger than the largest record allowed.',
    "Raise kafka.maxMessageBytes, then start the task again: the topics' max.message.bytes is raised with it, where the account may alter them.",
  ),
  REGISTRY_UNREACHABLE: retry(
    'The schema registry cannot be reached.',
    'Check kafka.registry.url and that the registry runs.',
  ),
  REGISTRY_REFUSED: stop(
    'The schema registry refused a schema.',
    'Read its message; the compatibility of our subjects is NONE unless somebody set another.',
  ),

  // manifest and topics
  MANIFEST_BROKEN: stop(
    'The manifest contradicts itself or the topics.',
    `Nothing was applied beyond the named offset. Restore the topic, or report it. If that cannot be: ${START_ANEW}`,
  ),
  SEGMENT_BROKEN: stop(
    'A segment of a topic does not hold what the manifest lists.',
    `Kafka lost or changed records. Restore them, and start again. If that cannot be: ${START_ANEW}`,
  ),
  EPOCH_LOST: retry(
    'Another capture of this task took over.',
    'This one stops writing; it may start again when the other ended.',
  ),

  // destination
  DESTINATION_OLDER: stop(
    'The destination is older than the source.',
    "Use a destination of the source's major version or a later one.",
    ExitCode.findings,
  ),
  DESTINATION_OBJECT_EXISTS: stop(
    'Selected objects exist at the destination already.',
    'Drop them, choose another database, keep them with existing: ignore, or run without the schema migration type.',
    ExitCode.findings,
  ),
  DESTINATION_TABLE_NOT_EMPTY: stop(
    'A selected table at the destination holds rows already.',
    'Empty it, or leave it out, or run without the full migration type.',
    ExitCode.findings,
  ),
  DESTINATION_RELOAD_NEEDED: stop(
    'The source read a table again, or a new one, after its changes began to be applied; that is not carried yet.',
    'Release the task with its topics, empty the destination and start a new task.',
  ),
  DESTINATION_OBJECT_FAILED: stop(
    'Objects that the task cannot go on without could not be created at the destination.',
    "Read the server's messages; after the cause is removed, start the task again, or leave the tables out.",
  ),
  DESTINATION_TABLE_MISSING: stop(
    'A table or column that the changes need is missing at the destination.',
    'Create it as it is at the source, then start the task again.',
  ),
  DESTINATION_POSITION_MOVED: stop(
    'The applied position at the destination is not the one this sink believes.',
    'Another sink of the same name runs. Stop one of them.',
  ),
  DESTINATION_OTHER_TASK: stop(
    'The destination was filled from another incarnation or another Kafka cluster.',
    'Use an empty destination, or release the bookkeeping of the earlier task.',
  ),
  DESTINATION_ROW_REFUSED: stop(
    'The destination refused a change.',
    "Read the server's message and the named table and position; after the cause is removed, start again.",
  ),
  DESTINATION_CONFLICT: stop(
    'A change met other rows at the destination than at the source, and sink.conflicts is stop.',
    'Mend the named row at the destination (remove it, or put back what is missing), then start the task again.',
  ),
  DESTINATION_SINK_RUNNING: stop(
    'A sink of this task runs at the destination, whose triggers and rules are to be put back.',
    'Stop it, then run sluice release again.',
    ExitCode.failed,
  ),
  DESTINATION_OBJECT_MISNAMED: stop(
    'A value of a reg* type names an object that was gone at the source: its number means another object here.',
    'Correct the named row at the source (- or 0 names nothing), or leave its table out, release the task and start a new one.',
  ),
  DESTINATION_CUT_OVER: stop(
    'The task was cut over: the destination is the live database now.',
    'Nothing is to be done; release the task when it is no longer needed.',
    ExitCode.failed,
  ),

  // control
  TASK_NOT_FOUND: stop(
    'No task of this name is known at the given ends.',
    'Check --name, --source and --destination; sluice migrate starts a task.',
    ExitCode.usage,
  ),
  FENCE_TIMEOUT: stop(
    'The fence was not reached in time.',
    'See sluice status for what is waited for; the migration goes on.',
    ExitCode.failed,
  ),
  COMPARE_DIFFERENT: stop(
    'Source and destination differ.',
    'The report names the tables and the first keys.',
    ExitCode.different,
  ),
  PRECHECK_FAILED: stop('The precheck found what must be put right first.', 'See the findings.', ExitCode.findings),
  LOCAL_STACK_FAILED: stop(
    'A part of the local stack did not start.',
    'Read the named log; sluice local down, then up, starts anew.',
    ExitCode.unavailable,
  ),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof errorCatalogue;

/** A code that came as text, from another process or a stored report; INTERNAL where the catalogue lacks it. */
export function errorCodeOf(text: string): ErrorCode {
  return Object.hasOwn(errorCatalogue, text) ? (text as ErrorCode) : 'INTERNAL';
}

/** Values that help to find the place: names, LSNs, offsets. Never secrets, never row values other than keys. */
export type ErrorContext = Readonly<Record<string, string | number | boolean | bigint | undefined>>;

export interface SluiceErrorOptions {
  readonly context?: ErrorContext;
  readonly cause?: unknown;
  /** Replaces the catalogue's remedy where the place knows better. */
  readonly remedy?: string;
}

export class SluiceError extends Error {
  override readonly name = 'SluiceError';
  readonly code: ErrorCode;
  readonly context: ErrorContext;
  readonly remedy: string;

  /** `detail` is a sentence for the operator; what is wrong here and now, without secrets or row values. */
  constructor(code: ErrorCode, detail: string, options: SluiceErrorOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.context = options.context ?? {};
    this.remedy = options.remedy ?? errorCatalogue[code].remedy;
  }

  get retry(): RetryPolicy {
    return errorCatalogue[this.code].retry;
  }

  get exit(): number {
    return errorCatalogue[this.code].exit;
  }
}

export function isSluiceError(error: unknown, code?: ErrorCode): error is SluiceError {
  return error instanceof SluiceError && (code === undefined || error.code === code);
}
