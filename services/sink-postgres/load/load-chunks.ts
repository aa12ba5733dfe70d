import type pg from 'pg';
import type { Segment } from '../../../shared/envelope/manifest.ts';
import { isSluiceError, SluiceError } from '../../../shared/errors.ts';
import type { Fetcher, Kafka } from '../../../shared/kafka/interfaces.ts';
import { tableKey } from '../../../shared/postgres/identifiers.ts';
import { type Destination, openWriter } from '../bookkeeping/session.ts';
import { checkSegment } from '../consume/segment-reader.ts';
import type { NamingColumns } from '../names/naming-columns.ts';
import type { JobQueue } from './job-queue.ts';
import { type ExpectedRead, loadChunk } from './load-chunk.ts';

/** The chunks of a segment, to be loaded. */
export interface LoadJob {
  readonly segment: Segment;
  readonly read: ExpectedRead;
  readonly done: () => void;
}

export interface LoadWorkerOptions {
  readonly kafka: Kafka;
  readonly destination: Destination;
  readonly replicaRole: boolean;
  readonly signal: AbortSignal;
}

/** One worker: takes jobs until there are none, over connections of its own. What it meets ends the queue. */
export async function loadChunks(options: LoadWorkerOptions, queue: JobQueue<LoadJob>): Promise<void> {
  const { kafka, destination, replicaRole, signal } = options;
  let fetcher: Fetcher | null = null;
  let client: pg.Client | null = null;
  const naming = new Map<string, NamingColumns>();
  try {
    fetcher = await kafka.fetcher();
    client = await openWriter(destination, { role: 'load', replicaRole });
    for (let job = await queue.take(); job; job = await queue.take()) {
      const [records = []] = await fetcher.ranges([job.segment], signal);
      checkSegment(job.segment, records);
      for (const record of records) {
        if (signal.aborted) return;
        await loadChunk({ client, destination, naming }, record, job.read).catch((error: unknown) => {
          throw inChunk(error, job, record.offset);
        });
      }
      job.done();
    }
  } catch (error) {
    queue.fail(error);
  } finally {
    await client?.end().catch(() => undefined);
    await fetcher?.close().catch(() => undefined);
  }
}

/** The error with the place of the chunk that it was met in. */
function inChunk(error: unknown, { segment, read }: LoadJob, offset: bigint): unknown {
  if (!isSluiceError(error, 'SEGMENT_BROKEN')) return error;
  const { topic, partition } = segment;
  const place = `table ${tableKey(read.table)}, ${topic}/${partition}, offset ${offset}`;
  const context = { ...error.context, topic, partition, offset };
  return new SluiceError(error.code, `${error.message} (${place})`, { context, cause: error.cause });
}
