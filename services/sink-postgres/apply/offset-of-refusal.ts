import { isSluiceError, SluiceError } from '../../../shared/errors.ts';
import type { CountedBatch } from '../consume/feed-item.ts';
import type { SegmentReader } from '../consume/segment-reader.ts';

export interface Place {
  readonly reader: SegmentReader;
  /** That the refused work came from. */
  readonly batches: readonly CountedBatch[];
  readonly signal: AbortSignal;
}

/** The error of a change, with topic, partition and offset of its event beside the position; others as they are. */
export async function withOffset(error: unknown, { reader, batches, signal }: Place): Promise<unknown> {
  if (!isSluiceError(error)) return error;
  const { position } = error.context;
  if (typeof position !== 'bigint' || error.context['table'] === undefined) return error;
  const batch = batches.find(({ record }) => record.first <= position && position <= record.last);
  // The place is for people: that it cannot be found must not hide what happened.
  const found = batch ? await reader.locate(batch, position, signal).catch(() => null) : null;
  if (!found) return error;
  const { topic, partition, offset } = found;
  const message = `${error.message} (topic ${topic}, partition ${partition}, offset ${offset})`;
  return new SluiceError(error.code, message, {
    context: { ...error.context, topic, partition, offset },
    cause: error.cause,
    remedy: error.remedy,
  });
}
