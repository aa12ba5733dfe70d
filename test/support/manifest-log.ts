/**
 * What counts of a manifest, read a second time from design and docs, without the project's code.
 * Numbers of 64 bits come as decimal text.
 */

export interface LoggedSegment {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly count: number;
  readonly crc32c: number;
}

export interface LoggedRecord {
  readonly kind: string;
  readonly incarnation: string;
  readonly epoch: string;
  readonly at: string;
  readonly lsn: string;
  /** Offset of the newest checkpoint before it. */
  readonly checkpoint?: string;
  readonly segments?: readonly LoggedSegment[];
  readonly batch?: string;
  readonly first?: string;
  readonly last?: string;
  readonly transactions?: number;
  readonly complete?: { readonly xid: number; readonly commitLsn: string; readonly endLsn: string } | null;
  readonly open?: { readonly xid: number } | null;
  readonly closes?: number | null;
  readonly table?: { readonly schema: string; readonly name: string };
  readonly generation?: string;
  readonly chunks?: number;
  readonly rows?: string;
}

export interface CountedRecord extends LoggedRecord {
  readonly offset: number;
  /** A part of a transaction that the end of its epoch voided. */
  voided: boolean;
}

export interface ManifestLog {
  readonly counted: readonly CountedRecord[];
  readonly epochs: number;
  /** Records that count for nobody. */
  readonly ignored: number;
  readonly problems: readonly string[];
}

/** `values`: the records of the topic in order; their index is their offset. */
export function readManifest(values: readonly string[]): ManifestLog {
  const reader = new LogReader();
  for (const [offset, value] of values.entries()) {
    reader.take({ ...parsed(value), offset, voided: false });
  }
  const { counted, epochs, problems } = reader;
  return { counted, epochs, ignored: values.length - counted.length, problems };
}

/** What is no record of a manifest names no offset, and so counts for nobody. */
function parsed(value: string): LoggedRecord {
  try {
    return { ...(JSON.parse(value) as LoggedRecord) };
  } catch {
    return {} as LoggedRecord;
  }
}

class LogReader {
  readonly counted: CountedRecord[] = [];
  readonly problems: string[] = [];
  epochs = 0;
  #incarnation: string | null = null;
  #epoch: string | null = null;
  #batch = 0n;
  #position = 0n;
  #completePosition = 0n;
  #openParts: CountedRecord[] = [];
  #lsn = 0n;
  #checkpoint: string | undefined;

  take(record: CountedRecord): void {
    if (!this.#counts(record)) return;
    if (record.kind === 'epoch') this.#startEpoch(record);
    else if (record.kind === 'batch') this.#takeBatch(record);
    else if (record.kind === 'heartbeat')
      this.#expect(this.#openParts.length === 0, record, 'inside an open transaction');
    this.#expect(record.checkpoint === this.#checkpoint, record, `the newest checkpoint is at ${this.#checkpoint}`);
    if (record.kind === 'checkpoint') this.#checkpoint = record.at;
    const lsn = lsnOf(record.lsn);
    this.#expect(lsn >= this.#lsn, record, `LSN ${record.lsn} is lower than one before`);
    this.#lsn = lsn;
    this.counted.push(record);
  }

  #counts(record: CountedRecord): boolean {
    if (Number(record.at) !== record.offset) return false;
    if (this.#incarnation !== null && record.incarnation !== this.#incarnation) return false;
    if (record.kind === 'epoch') return true;
    if (record.epoch !== this.#epoch) return false;
    return record.kind !== 'batch' || BigInt(record.batch ?? 0) > this.#batch;
  }

  #startEpoch(record: CountedRecord): void {
    for (const part of this.#openParts) part.voided = true;
    this.#openParts = [];
    this.#position = this.#completePosition;
    this.#incarnation = record.incarnation;
    this.#epoch = record.epoch;
    this.epochs++;
  }

  #takeBatch(record: CountedRecord): void {
    const number = BigInt(record.batch ?? 0);
    const first = BigInt(record.first ?? 0);
    this.#expect(number === this.#batch + 1n, record, `batch ${number} after ${this.#batch}`);
    this.#expect(first === this.#position + 1n, record, `position ${first} after ${this.#position}`);
    this.#batch = number;
    this.#position = BigInt(record.last ?? 0);
    const continued = this.#openParts[0]?.open?.xid ?? null;
    if (record.open) {
      this.#expect(!record.complete, record, 'both open and complete');
      this.#expect(continued === null || continued === record.open.xid, record, 'a second open transaction');
      this.#openParts.push(record);
    } else {
      this.#expect(Boolean(record.complete), record, 'neither open nor complete');
      this.#expect(record.closes === continued, record, `closes ${record.closes}, where ${continued} is open`);
      this.#openParts = [];
      this.#completePosition = this.#position;
    }
  }

  #expect(holds: boolean, { offset, kind }: CountedRecord, problem: string): void {
    if (!holds) this.problems.push(`manifest ${offset} (${kind}): ${problem}`);
  }
}

export function lsnOf(text: string): bigint {
  const [high = '', low = ''] = text.split('/');
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}
