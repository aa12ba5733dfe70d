import { ExitCode } from '../../../shared/errors.ts';
import type { Kafka } from '../../../shared/kafka/interfaces.ts';
import { openKafka } from '../../../shared/kafka/kafka.ts';
import { connect } from '../../../shared/postgres/connection.ts';
import type { SuspendedAction } from '../../../shared/postgres/suspended-actions.ts';
import type { TaskArguments } from '../../../shared/task/arguments.ts';
import type { Task } from '../../../shared/task/task.ts';
import { ManifestView } from '../observe/manifest-view.ts';
import { writeJson, writeLine } from '../output.ts';
import { type ReleasedBookkeeping, releaseBookkeeping, releaseTables } from '../release/release-destination.ts';
import { type ReleasedSource, releaseSource } from '../release/release-source.ts';
import { type ReleasedTopics, releaseTopics } from '../release/release-topics.ts';
import { openTask } from './task-context.ts';

interface ReleaseReport {
  readonly task: string;
  readonly source: ReleasedSource;
  readonly topics: ReleasedTopics | null;
  /** Triggers, rules and identity columns of the destination's tables that act again. */
  readonly restored: readonly SuspendedAction[];
  readonly bookkeeping: ReleasedBookkeeping | null;
}

/** May be repeated; what is gone already is passed over. */
export async function release(options: TaskArguments): Promise<number> {
  const { task } = await openTask(options, false);
  const kafka = openKafka(task.kafka, `sluice-release-${task.name}`);
  const known = await readManifest(kafka, task);
  const source = await connect(task.source.endpoint, { applicationName: 'sluice release', end: 'source' });
  try {
    const takeOver = options.takeOver === true;
    const report: ReleaseReport = {
      task: task.name,
      source: await releaseSource(source, task, { identities: known.identities, takeOver }),
      topics: options.topics === true ? await releaseTopics(kafka, task, known.tableTopics) : null,
      ...(await atDestination(task, options.bookkeeping === true)),
    };
    if (options.json === true) writeJson(report);
    else for (const line of reportLines(report)) writeLine(line);
    return ExitCode.ok;
  } finally {
    await source.end();
  }
}

async function readManifest(kafka: Kafka, task: Task) {
  const view = await ManifestView.open(kafka, task.name);
  if (!view) return { identities: [], tableTopics: new Set<string>() };
  try {
    await view.refresh(new AbortController().signal);
    // Each epoch lists them as they were before the first.
    return { identities: view.state.epoch?.replicaIdentities ?? [], tableTopics: view.tableTopics };
  } finally {
    await view.close();
  }
}

async function atDestination(
  task: Task,
  withBookkeeping: boolean,
): Promise<Pick<ReleaseReport, 'restored' | 'bookkeeping'>> {
  const client = await connect(task.destination, { applicationName: 'sluice release', end: 'destination' });
  try {
    const restored = await releaseTables(client, task);
    return { restored, bookkeeping: withBookkeeping ? await releaseBookkeeping(client, task) : null };
  } finally {
    await client.end();
  }
}

function reportLines({ task, source, topics, restored, bookkeeping }: ReleaseReport): string[] {
  const lines: string[] = [];
  if (source.slot !== null) lines.push(`dropped replication slot ${source.slot}`);
  if (source.publication !== null) lines.push(`dropped publication ${source.publication}`);
  for (const table of source.replicaIdentities) lines.push(`put back the replica identity of ${table}`);
  if (topics) lines.push(`deleted ${topics.topics.length} topics and ${topics.subjects.length} registry subjects`);
  for (const { kind, name, schema, table } of restored) lines.push(`put back ${kind} ${name} of ${schema}.${table}`);
  if (bookkeeping) {
    const schema = bookkeeping.schema ? ' and schema sluice' : '';
    lines.push(`deleted ${bookkeeping.rows} rows of bookkeeping${schema} at the destination`);
  }
  if (lines.length === 0) lines.push('nothing was left to remove');
  return [...lines, `task ${task} is released`];
}
