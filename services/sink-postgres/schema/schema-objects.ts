import type { RecordOf } from '../../../shared/envelope/manifest.ts';
import { decodeSchemaObject, type SchemaObject } from '../../../shared/envelope/schema-object.ts';
import { SluiceError } from '../../../shared/errors.ts';
import type { Fetcher } from '../../../shared/kafka/interfaces.ts';
import { checkSegment } from '../consume/segment-reader.ts';

/**
 * The schema objects that a manifest record lists, in creation order.
 * @throws SluiceError SEGMENT_BROKEN
 */
export async function readSchemaObjects(
  fetcher: Fetcher,
  record: RecordOf<'schema'>,
  signal: AbortSignal,
): Promise<SchemaObject[]> {
  const fetched = await fetcher.ranges(record.segments, signal);
  const objects: SchemaObject[] = [];
  for (const [index, segment] of record.segments.entries()) {
    const records = fetched[index] ?? [];
    checkSegment(segment, records);
    for (const { value } of records) {
      const { incarnation, epoch, ...object } = decodeSchemaObject(value);
      if (incarnation !== record.incarnation || epoch !== record.epoch) {
        throw new SluiceError('SEGMENT_BROKEN', `schema object ${object.number} is of epoch ${epoch}`);
      }
      objects.push(object);
    }
  }
  objects.sort((a, b) => a.number - b.number);
  if (objects.length !== record.objects || objects.some(({ number }, index) => number !== index)) {
    throw new SluiceError('SEGMENT_BROKEN', `${objects.length} of ${record.objects} schema objects are there`);
  }
  return objects;
}
