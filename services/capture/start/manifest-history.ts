import type { ManifestState } from '../../../shared/envelope/fold.ts';
import { manifestBelow } from '../../../shared/envelope/manifest-reading.ts';
import { readStored } from '../../../shared/envelope/read-stored.ts';
import { SluiceError } from '../../../shared/errors.ts';
import type { Fetcher } from '../../../shared/kafka/interfaces.ts';

/**
 * The manifest up to the end that it has now.
 * @throws SluiceError MANIFEST_BROKEN, KAFKA_RECORDS_GONE, KAFKA_*
 */
export async function readManifest(
  fetcher: Pick<Fetcher, 'watermarks' | 'tail'>,
  topic: string,
  signal: AbortSignal,
): Promise<ManifestState> {
  const { low, high } = await fetcher.watermarks({ topic, partition: 0 });
  if (low > 0n) {
    const context = { topic, partition: 0, offset: 0n };
    throw new SluiceError('KAFKA_RECORDS_GONE', `${topic}/0 begins at offset ${low}: its first records are gone`, {
      context,
    });
  }
  return await readStored(manifestBelow({ low, end: high }), { fetcher, topic }, signal);
}
