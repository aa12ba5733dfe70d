import type { PartitionCursor } from './cursor.ts';
import { partitionName } from './partition-name.ts';
import { batchAt } from './record-batch.ts';

/**
 * Record batches that came with an answer beyond what was wanted, kept for the next call, since readers go forward.
 * What a log holds at an offset never changes, so what is kept is never stale, only perhaps useless.
 */
export class ReadAhead {
  readonly #maxBytes: number;
  readonly #logs = new Map<string, { log: Buffer; at: number }>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Gives the cursor what is kept for it. */
  serve(cursor: PartitionCursor): void {
    const key = partitionName(cursor);
    const kept = this.#logs.get(key);
    if (!kept) return;
    const first = batchAt(kept.log, kept.at);
    if (!first || first.baseOffset > cursor.wanted) {
      this.#forget(key);
      return;
    }
    kept.at = cursor.take(kept.log, kept.at);
    if (!cursor.done || !batchAt(kept.log, kept.at)) this.#forget(key);
  }

  /** Keeps a copy of the whole batches from `at` on, so that a small rest does not hold a large answer. */
  keep(cursor: PartitionCursor, log: Buffer, at: number): void {
    this.#forget(partitionName(cursor));
    if (!batchAt(log, at) || log.length - at > this.#maxBytes) return;
    const rest = Buffer.from(log.subarray(at));
    this.#logs.set(partitionName(cursor), { log: rest, at: 0 });
    this.#bytes += rest.length;
    for (const oldest of this.#logs.keys()) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    this.#bytes -= this.#logs.get(key)?.log.length ?? 0;
    this.#logs.delete(key);
  }
}
