import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { SluiceError } from '../../shared/errors.ts';
import type { Fetcher, Kafka } from '../../shared/kafka/interfaces.ts';
import { formatLsn, ZERO_LSN } from '../../shared/postgres/lsn.ts';
import { type AppliedPosition, createPosition, readPosition } from './bookkeeping/position.ts';
import { readPhase } from './bookkeeping/sink-status.ts';
import type { SinkIdentity } from './bookkeeping/tables.ts';
import { type ManifestHistory, readHistory } from './consume/manifest-log.ts';

export interface StartOptions {
  readonly kafka: Kafka;
  readonly fetcher: Fetcher;
  readonly manifestTopic: string;
  readonly control: pg.Client;
  readonly identity: SinkIdentity;
  /** Called once when capture has not begun. */
  readonly onWaiting: () => Promise<void>;
  readonly signal: AbortSignal;
}

export interface Start {
  readonly applied: AppliedPosition;
  readonly history: ManifestHistory;
}

const LOOK_MS = 300;

/**
 * Finds where this sink stands, and that the manifest is the one it stood in before: the record at the stored offset
 * is the one stored, in the same Kafka cluster. A sink that starts first waits for capture. null: the signal fired.
 * @throws SluiceError DESTINATION_CUT_OVER, DESTINATION_OTHER_TASK, MANIFEST_BROKEN, KAFKA_TOPIC_MISSING
 */
export async function findStart(options: StartOptions): Promise<Start | null> {
  const { kafka, control, identity } = options;
  if ((await readPhase(control, identity)) === 'cut over') {
    throw new SluiceError('DESTINATION_CUT_OVER', `sink ${identity.sink} of task ${identity.task} was cut over`);
  }
  const admin = await kafka.admin();
  try {
    const clusterId = await admin.clusterId();
    const stored = await readPosition(control, identity);
    if (!stored) return await firstStart(options, clusterId, async () => await topicExists(options, admin));
    if (stored.clusterId !== clusterId) {
      throw otherTask(`it was filled from Kafka cluster ${stored.clusterId}, this is ${clusterId}`);
    }
    if (!(await topicExists(options, admin))) {
      throw new SluiceError('KAFKA_TOPIC_MISSING', `topic ${options.manifestTopic} is gone; ${appliedUpTo(stored)}`);
    }
    const history = await historyAt(options, stored.manifestOffset);
    checkHistory(options.manifestTopic, history, stored);
    return { applied: stored, history };
  } finally {
    await admin.close();
  }
}

async function topicExists(
  { manifestTopic }: StartOptions,
  admin: { existing: (topics: string[]) => Promise<Set<string>> },
) {
  return (await admin.existing([manifestTopic])).has(manifestTopic);
}

async function firstStart(
  options: StartOptions,
  clusterId: string,
  exists: () => Promise<boolean>,
): Promise<Start | null> {
  const { control, identity, onWaiting, signal } = options;
  let waiting = false;
  while (!signal.aborted) {
    const history = (await exists()) ? await historyAt(options, 0n) : null;
    const { first = null, incarnation = null } = history?.state ?? {};
    if (history && first && incarnation) {
      const { offset, epoch } = first;
      const start = { batch: 0n, position: 0n, manifestOffset: offset, lsn: ZERO_LSN, commitTime: null } as const;
      const applied: AppliedPosition = { incarnation, clusterId, epoch, ...start };
      await createPosition(control, identity, applied);
      return { applied, history: offset === 0n ? history : await historyAt(options, offset) };
    }
    if (!waiting) await onWaiting();
    waiting = true;
    await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
  return null;
}

async function historyAt({ fetcher, manifestTopic, signal }: StartOptions, offset: bigint): Promise<ManifestHistory> {
  return await readHistory({ fetcher, topic: manifestTopic }, offset, signal);
}

function checkHistory(topic: string, { state, at, after }: ManifestHistory, stored: AppliedPosition): void {
  const { manifestOffset, incarnation, epoch, batch } = stored;
  const context = { topic, partition: 0, offset: manifestOffset };
  if (state.nextOffset <= manifestOffset) {
    const detail = `${topic}/0 ends before offset ${state.nextOffset}; ${appliedUpTo(stored)}`;
    throw new SluiceError('KAFKA_RECORDS_GONE', detail, { context });
  }
  if (!at || !after) {
    const detail = `no record counts at offset ${manifestOffset} of ${topic}/0; ${appliedUpTo(stored)}`;
    throw new SluiceError('MANIFEST_BROKEN', detail, { context });
  }
  if (at.record.incarnation !== incarnation) {
    throw otherTask(`it was filled from incarnation ${incarnation}, the manifest is of ${at.record.incarnation}`);
  }
  // An epoch record that voids parts leaves their batch numbers used, and nothing of them applied.
  const isAfterVoided = after.open === null && after.complete.position === stored.position;
  if (at.record.epoch !== epoch || (after.batch !== batch && !isAfterVoided)) {
    throw new SluiceError(
      'MANIFEST_BROKEN',
      `the record at offset ${manifestOffset} of ${topic}/0 is of batch ${after.batch}, epoch ${at.record.epoch}; ${appliedUpTo(stored)}, batch ${batch}, epoch ${epoch}`,
      { context },
    );
  }
}

function appliedUpTo({ manifestOffset, position, lsn }: AppliedPosition): string {
  return `applied was up to offset ${manifestOffset}, position ${position}, LSN ${formatLsn(lsn)}`;
}

function otherTask(why: string): SluiceError {
  return new SluiceError('DESTINATION_OTHER_TASK', `the destination belongs to another task: ${why}`);
}
