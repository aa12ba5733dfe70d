const NEWLINE = 0x0a;
const TAB = 0x09;
/** A key column's text is shown up to it. */
const SHOWN_BYTES = 200;

/**
 * Measures a row of COPY text that is too large to be held, and keeps its key. A tab byte ends a field and nothing
 * else: inside a value COPY writes \t as two characters.
 */
export class OversizedRow {
  readonly #keyColumns: ReadonlySet<number>;
  readonly #key = new Map<number, Buffer>();
  #column = 0;
  #bytes = 0;

  /** `keyColumns`: their places among the columns of the COPY. */
  constructor(keyColumns: Iterable<number>) {
    this.#keyColumns = new Set(keyColumns);
  }

  /** What follows of the row; true when its end was among it. */
  push(bytes: Buffer): boolean {
    const newline = bytes.indexOf(NEWLINE);
    const row = newline === -1 ? bytes : bytes.subarray(0, newline);
    for (let at = 0; at <= row.length; ) {
      const tab = row.indexOf(TAB, at);
      this.#keep(row.subarray(at, tab === -1 ? row.length : tab));
      if (tab === -1) break;
      this.#column += 1;
      at = tab + 1;
    }
    this.#bytes += row.length;
    return newline !== -1;
  }

  /** Without its line end. */
  get bytes(): number {
    return this.#bytes;
  }

  /** As the row key of events is written; null where the table has no key. */
  get key(): string | null {
    if (this.#keyColumns.size === 0) return null;
    return JSON.stringify([...this.#keyColumns].map((column) => textOf(this.#key.get(column))));
  }

  #keep(field: Buffer): void {
    if (!this.#keyColumns.has(this.#column)) return;
    const known = this.#key.get(this.#column) ?? Buffer.alloc(0);
    this.#key.set(this.#column, Buffer.concat([known, field.subarray(0, SHOWN_BYTES - known.length)]));
  }
}

function textOf(field: Buffer | undefined): string | null {
  const text = (field ?? '').toString();
  return text === '\\N' ? null : text;
}
