import { SluiceError } from '../errors.ts';
import type { FetchedRecord, TopicPartition } from './interfaces.ts';
import { decodeBatch, type OffsetRange } from './record-batch.ts';

/** Where the records of one wanted range go, batch by batch. */
export interface RangeRecords {
  /** Records taken so far. */
  readonly count: number;
  /**
   * Takes what the whole batch at `at` of the log holds of the range, whose `from` is the next offset wanted.
   * @returns how many records that are
   * @throws SluiceError SEGMENT_BROKEN; KAFKA_RECORDS_GONE when they do not follow each other from `from` on
   */
  take(log: Buffer, at: number, range: OffsetRange): number;
}

/** Records as objects, with all that a record has. */
export class RecordList implements RangeRecords {
  readonly records: FetchedRecord[] = [];

  get count(): number {
    return this.records.length;
  }

  take(log: Buffer, at: number, range: OffsetRange): number {
    let wanted = range.from;
    for (const record of decodeBatch(log, at, range)) {
      if (record.offset !== wanted) throw recordsGone(range, wanted, record.offset);
      this.records.push(record);
      wanted += 1n;
    }
    return Number(wanted - range.from);
  }
}

export function recordsGone({ topic, partition }: TopicPartition, offset: bigint, first: bigint): SluiceError {
  return new SluiceError(
    'KAFKA_RECORDS_GONE',
    `${topic}/${partition} no longer holds offset ${offset}; what follows begins at ${first}`,
    { context: { topic, partition, offset, first } },
  );
}
