import { randomUUID } from 'node:crypto';
import { checkpointOf } from '../../../shared/envelope/checkpoint.ts';
import { fold, type ManifestState } from '../../../shared/envelope/fold.ts';
import { encodeManifestRecord, type ManifestRecord } from '../../../shared/envelope/manifest.ts';
import { SluiceError } from '../../../shared/errors.ts';
import type { Producer } from '../../../shared/kafka/interfaces.ts';
import { type Lsn, maxLsn } from '../../../shared/postgres/lsn.ts';
import { failpoint } from '../../../shared/service/failpoint.ts';

type Body<R> = R extends ManifestRecord ? Omit<R, 'incarnation' | 'epoch' | 'at' | 'lsn' | 'checkpoint'> : never;

/** A record without its header, which the writer fills in. `lsn` where the record moves it (batch, heartbeat, slot). */
export type ManifestBody = Body<ManifestRecord> & { readonly lsn?: Lsn };

/** The only appender of this process: the stream, the snapshot and the start path all append through it. */
export interface ManifestWriter {
  readonly incarnation: string;
  readonly epoch: string;
  /** What counts, own records included as soon as their append is answered; never written by others. */
  readonly state: ManifestState;
  /**
   * Appends in the order of the calls; gives the record's offset when it counts. Calls made while an append is under
   * way go together in the next one.
   * After any failure nothing is appended any more and every call fails alike: the attempt is over.
   * @throws SluiceError EPOCH_LOST, KAFKA_PRODUCE_FAILED, ...
   */
  append(body: ManifestBody): Promise<bigint>;
}

export interface ManifestWriterOptions {
  readonly topic: string;
  /** Its own, so that no other send delays or fails an append. */
  readonly producer: Producer;
  /** The manifest as read up to its end. */
  readonly state: ManifestState;
  /**
   * Default: a fresh one. Under the newest epoch of another attempt only a `stopped` record may be appended: it changes
   * nothing, and whoever still wrote under that epoch finds his next record at another offset.
   */
  readonly epoch?: string;
  /** Bytes of records after which a checkpoint follows, for every 100 kB of it. */
  readonly checkpointBytes: number;
  /** Of a record; a checkpoint that is larger is left out. */
  readonly maxMessageBytes: number;
}

/** So checkpoints take a tenth of the manifest at most where their interval is 1 MB. */
const CHECKPOINT_SHARE = 100_000;

/** Of records that go together: far below the smallest batch that a producer ends. */
const GROUP_BYTES = 256 * 1024;

interface Waiting {
  readonly body: ManifestBody;
  readonly resolve: (offset: bigint) => void;
  readonly reject: (error: unknown) => void;
}

interface Encoded {
  readonly record: ManifestRecord;
  readonly value: Buffer;
}

/** A writer of a fresh epoch; its first append is to be the epoch record. */
export function manifestWriter(options: ManifestWriterOptions): ManifestWriter {
  return new SerialManifestWriter(options);
}

/**
 * An append is never retried: a lost answer leaves the record perhaps written, and only a new epoch
 * record makes that harmless. The offset that the answer names must be the one the record names in `at`,
 * else another writer appended in between and the record counts for nobody.
 */
class SerialManifestWriter implements ManifestWriter {
  readonly incarnation: string;
  readonly epoch: string;
  readonly state: ManifestState;
  readonly #topic: string;
  readonly #producer: Producer;
  readonly #options: ManifestWriterOptions;
  /** Size of the last checkpoint; one that was too large was left out when so many bytes stood after the one before. */
  #checkpoint: { bytes: number; leftOutAt: number };
  readonly #waiting: Waiting[] = [];
  #running = false;
  #failure: unknown = null;

  constructor(options: ManifestWriterOptions) {
    const { topic, producer, state, epoch = randomUUID() } = options;
    this.#options = options;
    this.#checkpoint = { bytes: state.checkpoint?.bytes ?? 0, leftOutAt: 0 };
    this.epoch = epoch;
    this.incarnation = state.incarnation ?? randomUUID();
    this.state = state;
    this.#topic = topic;
    this.#producer = producer;
  }

  append(body: ManifestBody): Promise<bigint> {
    const offset = new Promise<bigint>((resolve, reject) => this.#waiting.push({ body, resolve, reject }));
    if (!this.#running) void this.#run();
    return offset;
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) {
      await this.#appendWaiting();
      // What it meets ends the attempt like any other failure: nothing is appended after it.
      await this.#checkpointWhenDue().catch(() => undefined);
    }
    this.#running = false;
  }

  /** What waits goes together: as if each had been appended after the answer to the one before. */
  async #appendWaiting(): Promise<void> {
    const group: Waiting[] = [];
    try {
      await this.#unlessFailed(async () => {
        const records = this.#takeWaiting(group);
        await this.#appendOnce('append', records);
        for (const [i, { record }] of records.entries()) group[i]?.resolve(record.at);
      });
    } catch (error) {
      const failed = group.length > 0 ? group : this.#waiting.splice(0);
      for (const { reject } of failed) reject(error);
    }
  }

  #takeWaiting(group: Waiting[]): Encoded[] {
    const records: Encoded[] = [];
    let bytes = 0;
    let { nextOffset: at, lsn } = this.state;
    while (bytes < GROUP_BYTES) {
      const next = this.#waiting.shift();
      if (!next) break;
      group.push(next);
      const record = this.#recordOf(next.body, { at, lsn });
      const value = encodeManifestRecord(record);
      records.push({ record, value });
      bytes += value.length;
      at += 1n;
      lsn = maxLsn(lsn, record.lsn);
    }
    return records;
  }

  /** The caller of the append before it does not wait for it; the next append does. */
  async #checkpointWhenDue(): Promise<void> {
    const { checkpointBytes, maxMessageBytes, epoch: another } = this.#options;
    const interval = checkpointBytes * Math.max(1, this.#checkpoint.bytes / CHECKPOINT_SHARE);
    const { bytesSince } = this.state;
    if (another !== undefined || bytesSince - this.#checkpoint.leftOutAt < interval) return;
    await this.#unlessFailed(async () => {
      const { nextOffset: at, lsn } = this.state;
      const record = this.#recordOf({ kind: 'checkpoint', state: checkpointOf(this.state) }, { at, lsn });
      const value = encodeManifestRecord(record);
      const tooLarge = value.length > maxMessageBytes;
      this.#checkpoint = { bytes: value.length, leftOutAt: tooLarge ? bytesSince : 0 };
      if (tooLarge) return;
      await this.#appendOnce('checkpoint', [{ record, value }]);
    });
  }

  async #unlessFailed<T>(act: () => Promise<T>): Promise<T> {
    if (this.#failure !== null) throw this.#failure;
    try {
      return await act();
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  #recordOf(body: ManifestBody, { at, lsn }: Pick<ManifestRecord, 'at' | 'lsn'>): ManifestRecord {
    const { checkpoint } = this.state;
    const header = { incarnation: this.incarnation, epoch: this.epoch, at, lsn: body.lsn ?? lsn };
    const named = checkpoint === null ? {} : { checkpoint: checkpoint.offset };
    return { ...body, ...header, ...named } as ManifestRecord;
  }

  async #appendOnce(what: 'append' | 'checkpoint', records: readonly Encoded[]): Promise<void> {
    const at = this.state.nextOffset;
    const outgoing = records.map(({ value }) => ({ topic: this.#topic, partition: 0, key: null, value }));
    for (const _ of records) failpoint(`capture.before-${what}`);
    const answers = await this.#producer.send(outgoing, { floor: () => at });
    this.#checkAnswer(answers, { at, count: records.length });
    for (const { record, value } of records) {
      failpoint(`capture.after-${what}`);
      const verdict = fold(this.state, record.at, record, value.length);
      if (!verdict.counts) throw new SluiceError('INTERNAL', `own manifest record does not count: ${verdict.why}`);
    }
  }

  #checkAnswer(
    answers: Awaited<ReturnType<Producer['send']>>,
    { at, count }: { readonly at: bigint; readonly count: number },
  ): void {
    const [answer] = answers;
    const one =
      answers.length === 1 && answer?.topic === this.#topic && answer.partition === 0 && answer.count === count;
    if (!one) throw new SluiceError('KAFKA_PRODUCE_FAILED', `the append to ${this.#topic} got an answer of other form`);
    if (answer.offset === at) return;
    const context = { topic: this.#topic, expected: at, offset: answer.offset };
    throw new SluiceError('EPOCH_LOST', `manifest record stands at offset ${answer.offset}, expected ${at}`, {
      context,
    });
  }
}
