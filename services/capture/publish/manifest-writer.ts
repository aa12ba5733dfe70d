import { randomUUID } from 'node:crypto';
import { fold, type ManifestState } from '../../../shared/envelope/fold.ts';
import { encodeManifestRecord, type ManifestRecord } from '../../../shared/envelope/manifest.ts';
import { SluiceError } from '../../../shared/errors.ts';
import type { Producer } from '../../../shared/kafka/interfaces.ts';
import type { Lsn } from '../../../shared/postgres/lsn.ts';
import { failpoint } from '../../../shared/service/failpoint.ts';

type Body<R> = R extends ManifestRecord ? Omit<R, 'incarnation' | 'epoch' | 'at' | 'lsn'> : never;

/** A record without its header, which the writer fills in. `lsn` where the record moves it (batch, heartbeat, slot). */
export type ManifestBody = Body<ManifestRecord> & { readonly lsn?: Lsn };

/** The only appender of this process: the stream, the snapshot and the start path all append through it. */
export interface ManifestWriter {
  readonly incarnation: string;
  readonly epoch: string;
  /** What counts, own records included as soon as their append is answered; never written by others. */
  readonly state: ManifestState;
  /**
   * Appends in the order of the calls; gives the record's offset when it counts.
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
  #last: Promise<unknown> = Promise.resolve();
  #failure: unknown = null;

  constructor({ topic, producer, state, epoch = randomUUID() }: ManifestWriterOptions) {
    this.epoch = epoch;
    this.incarnation = state.incarnation ?? randomUUID();
    this.state = state;
    this.#topic = topic;
    this.#producer = producer;
  }

  append(body: ManifestBody): Promise<bigint> {
    const appended = this.#last.then(() => this.#append(body));
    this.#last = appended.catch(() => undefined);
    return appended;
  }

  async #append(body: ManifestBody): Promise<bigint> {
    if (this.#failure !== null) throw this.#failure;
    try {
      return await this.#appendOnce(body);
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  async #appendOnce(body: ManifestBody): Promise<bigint> {
    const at = this.state.nextOffset;
    const header = { incarnation: this.incarnation, epoch: this.epoch, at, lsn: body.lsn ?? this.state.lsn };
    const record = { ...body, ...header } as ManifestRecord;
    failpoint('capture.before-append');
    const answers = await this.#producer.send(
      [{ topic: this.#topic, partition: 0, key: null, value: encodeManifestRecord(record) }],
      { floor: () => at },
    );
    this.#checkAnswer(answers, at);
    failpoint('capture.after-append');
    const verdict = fold(this.state, at, record);
    if (!verdict.counts) throw new SluiceError('INTERNAL', `own manifest record does not count: ${verdict.why}`);
    return at;
  }

  #checkAnswer(answers: Awaited<ReturnType<Producer['send']>>, at: bigint): void {
    const [answer] = answers;
    const one = answers.length === 1 && answer?.topic === this.#topic && answer.partition === 0 && answer.count === 1;
    if (!one) throw new SluiceError('KAFKA_PRODUCE_FAILED', `the append to ${this.#topic} got an answer of other form`);
    if (answer.offset === at) return;
    const context = { topic: this.#topic, expected: at, offset: answer.offset };
    throw new SluiceError('EPOCH_LOST', `manifest record stands at offset ${answer.offset}, expected ${at}`, {
      context,
    });
  }
}
