import { type DecodedEvent, type EventCodec, REGISTRY_REQUESTS } from '../../../shared/envelope/codec.ts';
import type { ManifestState, PartitionEnd } from '../../../shared/envelope/fold.ts';
import { decodeSchemaObject } from '../../../shared/envelope/schema-object.ts';
import { CHUNK_HEADER, decodeChunkHeader } from '../../../shared/envelope/snapshot-chunk.ts';
import { SluiceError } from '../../../shared/errors.ts';
import type { FetchedRecord, Fetcher, TopicAdmin } from '../../../shared/kafka/interfaces.ts';
import { severalAtOnce } from '../../../shared/several-at-once.ts';

/**
 * What the manifest lists records of must exist: made anew it would be empty.
 * @throws SluiceError KAFKA_TOPIC_MISSING
 */
export async function checkTopicsThere(state: ManifestState, admin: Pick<TopicAdmin, 'existing'>): Promise<void> {
  const ends = [...state.ends.values()];
  const existing = await admin.existing([...new Set(ends.map(({ topic }) => topic))]);
  const gone = ends.find(({ topic }) => !existing.has(topic));
  if (!gone) return;
  const { topic, partition, end } = gone;
  const context = { topic, partition, offset: end - 1n };
  const detail = `topic ${topic} is gone; the manifest lists it up to offset ${end - 1n}${upTo(gone)}`;
  throw new SluiceError('KAFKA_TOPIC_MISSING', detail, { context });
}

function upTo({ positions }: PartitionEnd): string {
  return positions === null ? '' : `, for positions up to ${positions.last}`;
}

interface EndsQuestion {
  readonly admin: Pick<TopicAdmin, 'ends'>;
  readonly fetcher: Fetcher;
  readonly codec: EventCodec;
  readonly signal: AbortSignal;
}

/**
 * The last record that the manifest lists of every topic-partition must still be there, and be that one:
 * a topic that was deleted, made anew or cut would otherwise be written on as if nothing were missing.
 * @throws SluiceError KAFKA_RECORDS_GONE, SEGMENT_BROKEN
 */
export async function checkPartitionEnds(
  state: ManifestState,
  { admin, fetcher, codec, signal }: EndsQuestion,
): Promise<void> {
  const ends = [...state.ends.values()];
  const watermarks = await admin.ends(ends);
  for (const [i, end] of ends.entries()) checkWatermark(end, watermarks[i]!);
  const ranges = ends.map(({ topic, partition, end }) => ({ topic, partition, offset: end - 1n, count: 1 }));
  const found = await fetcher.ranges(ranges, signal);
  await severalAtOnce(ends.entries(), REGISTRY_REQUESTS, async ([i, end]) => {
    const record = found[i]?.[0];
    if (!record) throw broken(end, 'it was not delivered');
    await checkRecord(end, record, codec);
  });
}

function checkWatermark(listed: PartitionEnd, high: bigint): void {
  const { topic, partition, end } = listed;
  if (high >= end) return;
  throw new SluiceError(
    'KAFKA_RECORDS_GONE',
    `${topic}/${partition} ends before offset ${high}, the manifest lists up to ${end - 1n}${upTo(listed)}`,
    {
      context: { topic, partition, offset: high },
    },
  );
}

async function checkRecord(end: PartitionEnd, record: FetchedRecord, codec: EventCodec): Promise<void> {
  const { positions } = end;
  if (positions === null) {
    if (writerOf(record) !== end.epoch) throw broken(end, 'it is of another epoch');
    return;
  }
  const { event, epoch } = await decoded(end, record, codec);
  if (epoch !== end.epoch) throw broken(end, 'it is of another epoch');
  if (event.position < positions.first || event.position > positions.last) {
    throw broken(end, `it has position ${event.position}, its batch ${positions.first} to ${positions.last}`);
  }
}

async function decoded(end: PartitionEnd, { value }: FetchedRecord, codec: EventCodec): Promise<DecodedEvent> {
  if (value === null) throw broken(end, 'it has no value');
  return codec.decode(value);
}

/** Epoch of a chunk or of a schema object. */
function writerOf({ headers, value }: FetchedRecord): string {
  const chunk = headers[CHUNK_HEADER];
  return chunk === undefined ? decodeSchemaObject(value).epoch : decodeChunkHeader(chunk).epoch;
}

function broken({ topic, partition, end }: PartitionEnd, why: string): SluiceError {
  const context = { topic, partition, offset: end - 1n };
  return new SluiceError(
    'SEGMENT_BROKEN',
    `the last listed record of ${topic}/${partition}, at offset ${end - 1n}: ${why}`,
    { context },
  );
}
