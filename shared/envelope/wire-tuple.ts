/** How a value stands in a tuple of pgoutput: its text, NULL, or a TOASTed value that the WAL did not carry. */
export const TEXT = 0x74;
export const NULL = 0x6e;
export const UNCHANGED = 0x75;

const FIRST_COLUMNS = 32;

/**
 * A row's values where they lie, as PostgreSQL text in UTF-8, in the order of the table's columns. It says nothing any
 * more once `bytes` is used for something else: what takes one reads it at once.
 */
export class WireTuple {
  bytes: Buffer = Buffer.alloc(0);
  length = 0;
  /** Some value is UNCHANGED: nobody knows it here. */
  hasUnknown = false;
  kinds = new Uint8Array(FIRST_COLUMNS);
  /** Where texts begin and end in `bytes`. */
  starts = new Int32Array(FIRST_COLUMNS);
  ends = new Int32Array(FIRST_COLUMNS);

  /** Begins a tuple of so many columns, to be set one after the other. */
  reset(bytes: Buffer, length: number): void {
    this.bytes = bytes;
    this.length = length;
    this.hasUnknown = false;
    if (length <= this.kinds.length) return;
    this.kinds = new Uint8Array(length);
    this.starts = new Int32Array(length);
    this.ends = new Int32Array(length);
  }

  setText(column: number, start: number, end: number): void {
    this.kinds[column] = TEXT;
    this.starts[column] = start;
    this.ends[column] = end;
  }

  setNull(column: number): void {
    this.kinds[column] = NULL;
  }

  setUnknown(column: number): void {
    this.kinds[column] = UNCHANGED;
    this.hasUnknown = true;
  }

  /** For messages and rare paths; of a text only. */
  text(column: number): string {
    return this.bytes.toString('utf8', this.starts[column], this.ends[column]);
  }

  /** Both are the same text, both NULL, or both unknown. */
  sameValue(other: WireTuple, column: number): boolean {
    const kind = this.kinds[column];
    if (kind !== other.kinds[column]) return false;
    if (kind !== TEXT) return true;
    let at = this.starts[column]!;
    let there = other.starts[column]!;
    const end = this.ends[column]!;
    if (end - at !== other.ends[column]! - there) return false;
    while (at < end) if (this.bytes[at++] !== other.bytes[there++]) return false;
    return true;
  }

  /** Takes values that are unknown here from a tuple that lies in the same bytes. */
  fillFrom(other: WireTuple, columns: readonly number[]): void {
    for (const column of columns) {
      if (this.kinds[column] !== UNCHANGED) continue;
      if (other.kinds[column] === TEXT) this.setText(column, other.starts[column]!, other.ends[column]!);
      else if (other.kinds[column] === NULL) this.setNull(column);
    }
    this.hasUnknown = this.kinds.subarray(0, this.length).includes(UNCHANGED);
  }
}
