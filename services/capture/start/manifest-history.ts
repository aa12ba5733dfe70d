import { emptyManifest, type ManifestState } from '../../../shared/envelope/fold.ts';
import { readRecord } from '../../../shared/envelope/read-record.ts';
import { SluiceError } from '../../../shared/errors.ts';
import type { Fetcher } from '../../../shared/kafka/interfaces.ts';

const READ_BYTES = 8 * 1024 * 1024;
const WAIT_MILLISECONDS = 1_000;

/**
 * The manifest from its first record to the end that it has now.
 * @throws SluiceError MANIFEST_BROKEN, KAFKA_RECORDS_GONE, KAFKA_*
 */
export async function readManifest(
  fetcher: Pick<Fetcher, 'watermarks' | 'tail'>,
  topic: string,
  signal: AbortSignal,
): Promise<ManifestState> {
  const state = emptyManifest();
  const { low, high } = await fetcher.watermarks({ topic, partition: 0 });
  if (low > 0n) {
    const context = { topic, partition: 0, offset: 0n };
    throw new SluiceError('KAFKA_RECORDS_GONE', `${topic}/0 begins at offset ${low}: its first records are gone`, {
      context,
    });
  }
  while (state.nextOffset < high) {
    const from = { topic, partition: 0, offset: state.nextOffset, maxBytes: READ_BYTES, maxWaitMs: WAIT_MILLISECONDS };
    for (const { offset, value } of await fetcher.tail(from, signal)) {
      readRecord(state, offset, value);
    }
  }
  return state;
}
