import { closeSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { crc32c } from '@node-rs/crc32';

/** First segment of a partition's log on a local broker, as Kafka's documentation describes record batches. */
export class KafkaLogFile {
  readonly path: string;

  constructor(broker: { readonly id: number; readonly log: string }, topic: string, partition = 0) {
    const dir = join(dirname(broker.log), `broker-${broker.id}`, `${topic}-${partition}`);
    this.path = join(dir, '00000000000000000000.log');
  }

  /** Changes a byte of `text` in the batch that holds the offset; `crc`: and its checksum, as a broken client would. */
  damage(offset: number, text: string, { crc }: { readonly crc: boolean }): Disposable {
    const bytes = readFileSync(this.path);
    const { at, end } = this.#batch(bytes, offset);
    const whole = Buffer.from(bytes.subarray(at, end));
    const damaged = Buffer.from(whole);
    const place = damaged.indexOf(text);
    if (place < 0) throw new Error(`the batch of offset ${offset} holds no ${text}`);
    damaged[place] = (damaged[place] ?? 0) ^ 1;
    if (crc) damaged.writeUInt32BE(crc32c(damaged.subarray(21)), 17);
    this.#write(damaged, at);
    return { [Symbol.dispose]: () => this.#write(whole, at) };
  }

  /** Cuts the log in the middle of the batch that holds the offset: that one and what follows is lost. */
  cut(offset: number): void {
    truncateSync(this.path, this.#batch(readFileSync(this.path), offset).end - 1);
  }

  #batch(bytes: Buffer, offset: number): { at: number; end: number } {
    for (let at = 0; at < bytes.length; ) {
      const end = at + 12 + bytes.readInt32BE(at + 8);
      const last = Number(bytes.readBigInt64BE(at)) + bytes.readInt32BE(at + 23);
      if (last >= offset) return { at, end };
      at = end;
    }
    throw new Error(`${this.path} does not hold offset ${offset}`);
  }

  #write(bytes: Buffer, at: number): void {
    const file = openSync(this.path, 'r+');
    writeSync(file, bytes, 0, bytes.length, at);
    closeSync(file);
  }
}
