import * as z from 'zod';
import { SluiceError } from '../errors.ts';

/**
 * A chunk of a table's rows, one Kafka record of `<task>.snapshot`:
 * key = tableKey, header `sluice-chunk` = this as JSON, value = the rows as COPY text (whole rows, each ending with \n).
 * Identity (table, generation, chunk) makes doubled chunks harmless.
 */
const chunkHeader = z.object({
  incarnation: z.string(),
  epoch: z.string(),
  schema: z.string(),
  name: z.string(),
  /** Offset of the manifest's reload record, as decimal text. */
  generation: z.string().regex(/^\d+$/),
  /** From 0, dense within the generation. */
  chunk: z.number().int().nonnegative(),
  rows: z.number().int().nonnegative(),
  columns: z.array(z.string()),
  /** Those of the row key. */
  key: z.array(z.string()).optional(),
});

export type ChunkHeader = z.output<typeof chunkHeader>;

export const CHUNK_HEADER = 'sluice-chunk';

export function encodeChunkHeader(header: ChunkHeader): string {
  return JSON.stringify(header);
}

/** @throws SluiceError SEGMENT_BROKEN when the record carries no such header. */
export function decodeChunkHeader(text: string | undefined): ChunkHeader {
  try {
    return chunkHeader.parse(JSON.parse(text ?? ''));
  } catch (cause) {
    throw new SluiceError('SEGMENT_BROKEN', 'a record of the snapshot topic has no readable chunk header', { cause });
  }
}
