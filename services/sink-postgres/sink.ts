import type { Kafka } from '../../shared/kafka/interfaces.ts';
import { manifestTopic } from '../../shared/kafka/topic-names.ts';
import type { Logger } from '../../shared/service/logger.ts';
import { tableFilter } from '../../shared/task/selection.ts';
import type { Task } from '../../shared/task/task.ts';
import { readRequest } from './bookkeeping/requests.ts';
import {
  type Destination,
  destinationFailure,
  lockSink,
  maySetReplicaRole,
  openSession,
} from './bookkeeping/session.ts';
import { writePhase, writeReplicaRole } from './bookkeeping/sink-status.ts';
import { createBookkeeping } from './bookkeeping/tables.ts';
import { Closing } from './closing.ts';
import { afterLoadStage, finalStage, loadStage, type StageContext, schemaStage } from './stages.ts';
import { findStart } from './start.ts';
import { streamStage } from './stream-stage.ts';
import { suspend } from './suspend.ts';

export interface SinkAttempt {
  readonly task: Task;
  readonly kafka: Kafka;
  readonly destination: Destination;
  readonly log: Logger;
  /** Both ends answered and the sink found its place. */
  readonly onStarted: () => void;
}

/**
 * One attempt of a sink:
 *
 *   schema before data · load the first reads · indexes and constraints · apply the stream
 *
 * Each stage goes on where an earlier attempt left it, by what stands at the destination.
 * Returns when drained, when control's `finish` is reached, or when there is no stream to apply.
 * @throws SluiceError
 */
export async function sinkOnce(
  { task, kafka, destination, log, onStarted }: SinkAttempt,
  signal: AbortSignal,
): Promise<void> {
  await using closing = new Closing();
  const control = closing.add(await openSession(destination, 'control'), (opened) => opened.end());
  try {
    const { identity } = destination;
    const fetcher = closing.add(await kafka.fetcher(), (opened) => opened.close());
    await createBookkeeping(control);
    const onLocked = () => log.info({ task: task.name }, 'waiting for another sink of this name to end');
    if (!(await lockSink(control, identity, { onWaiting: onLocked, signal }))) return;
    const topic = manifestTopic(task.name);
    const start = await findStart({ kafka, fetcher, manifestTopic: topic, control, identity, signal, onWaiting });
    if (!start) return;
    onStarted();
    const request = await readRequest(control, identity);
    if (request?.kind === 'finish' && request.reached) return;

    const replicaRole = await maySetReplicaRole(control);
    const takes = task.sink.tables === null ? () => true : takesOf(task.sink.tables);
    const { applied, history } = start;
    const shared = { task, kafka, destination, control, replicaRole, takes, history, log, signal };
    const context: StageContext = { ...shared, manifestTopic: topic };
    await schemaStage(context);
    await writeReplicaRole(control, identity, replicaRole);
    await suspend(context);
    const loaded = !signal.aborted && task.types.has('full') && (await loadStage(context));
    if (!signal.aborted) await afterLoadStage(context, loaded);
    if (signal.aborted) return;
    if (task.types.has('incremental')) await streamStage(context, applied);
    else await finalStage(context);
  } catch (error) {
    throw destinationFailure(error, destination);
  }

  async function onWaiting(): Promise<void> {
    onStarted();
    const detail = 'waiting for capture';
    await writePhase(control, destination.identity, { phase: 'schema migration', detail });
  }
}

function takesOf(filter: NonNullable<Task['sink']['tables']>) {
  const matches = tableFilter(filter);
  return (table: { readonly schema: string; readonly name: string }) => matches([table]);
}
