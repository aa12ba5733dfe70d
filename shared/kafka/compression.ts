import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { resealBatch, sealedRecords } from './record-batch.ts';

/**
 * Only batches of one large record are compressed: so that a row of 50 MB, which takes 100 MB as text, passes brokers
 * with stock limits. By gzip, which every consumer knows, and quickly: most of the gain is that of hexadecimal digits.
 */
const FASTEST = { level: constants.Z_BEST_SPEED };
const WORTH_IT = 0.9;

const compress = promisify<Buffer, typeof FASTEST, Buffer>(gzip);

/** The batch with its records compressed, or as it is where that gains little. */
export async function compressBatch(batch: Buffer): Promise<Buffer> {
  const compressed = await compress(sealedRecords(batch), FASTEST);
  return compressed.length < batch.length * WORTH_IT ? resealBatch(batch, compressed) : batch;
}
