import type { Fetcher } from '../kafka/interfaces.ts';
import type { Reading } from './manifest-reading.ts';

const MOST_BYTES = 8 * 1024 * 1024;
/** Asked for a few records: each larger than this costs another question. */
const BYTES_A_RECORD = 2048n;
const WAIT_MILLISECONDS = 1_000;

export interface StoredManifest {
  readonly fetcher: Pick<Fetcher, 'tail'>;
  readonly topic: string;
}

/** Gives a reading the records that it wants, from Kafka. @throws what the reading throws, KAFKA_* */
export async function readStored<T>(
  reading: Reading<T>,
  { fetcher, topic }: StoredManifest,
  signal: AbortSignal,
): Promise<T> {
  let step = reading.next();
  while (step.done !== true) {
    const { from, end } = step.value;
    const few = (end - from) * BYTES_A_RECORD;
    const maxBytes = few < MOST_BYTES ? Number(few) : MOST_BYTES;
    const place = { topic, partition: 0, offset: from, maxBytes, maxWaitMs: WAIT_MILLISECONDS };
    const records = await fetcher.tail(place, signal);
    const below = records.filter(({ offset }) => offset < end);
    // A batch of a kind that only other clients write shows as one record at its end, and may reach past `end`.
    const hidden = records.length > 0 && below.length === 0;
    step = reading.next(hidden ? [{ offset: end - 1n, value: null }] : below);
  }
  return step.value;
}
