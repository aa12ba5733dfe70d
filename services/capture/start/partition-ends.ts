import type { DecodedEvent, EventCodec } from '../../../shared/envelope/codec.ts';
import type { ManifestState, PartitionEnd } from '../../../shared/envelope/fold.ts';
import { decodeSchemaObject } from '../../../shared/envelope/schema-object.ts';
import { CHUNK_HEADER, decodeChunkHeader } from '../../../shared/envelope/snapshot-chunk.ts';
import { SluiceError } from '../../../shared/errors.ts';
import type { FetchedRecord, Fetcher } from '../../../shared/kafka/interfaces.ts';

/**
 * The last record that the manifest lists of every topic-partition must still be there, and be that one:
 * a topic that was deleted, made anew or cut would otherwise be written on as if nothing were missing.
 * @throws SluiceError KAFKA_RECORDS_GONE, SEGMENT_BROKEN
 */
export async function checkPartitionEnds(
  state: ManifestState,
  { fetcher, codec, signal }: { fetcher: Fetcher; codec: EventCodec; signal: AbortSignal },
): Promise<void> {
  const ends = [...state.ends.values()];
  for (const end of ends) await checkWatermark(fetcher, end);
  const ranges = ends.map(({ topic, partition, end }) => ({ topic, partition, offset: end - 1n, count: 1 }));
  const found = await fetcher.ranges(ranges, signal);
  for (const [i, end] of ends.entries()) {
    const record = found[i]?.[0];
    if (!record) throw broken(end, 'it was not delivered');
    await checkRecord(end, record, codec);
  }
}

async function checkWatermark(fetcher: Fetcher, { topic, partition, end }: PartitionEnd): Promise<void> {
  const { high } = await fetcher.watermarks({ topic, partition });
  if (high >= end) return;
  throw new SluiceError(
    'KAFKA_RECORDS_GONE',
    `${topic}/${partition} ends at offset ${high}, the manifest lists up to ${end}`,
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
  return new SluiceError('SEGMENT_BROKEN', `the last listed record of ${topic}/${partition}, at ${end - 1n}: ${why}`, {
    context,
  });
}
