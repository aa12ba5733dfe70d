/** Numbers that follow from a seed alone (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** At least 0, below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** At least `low`, below `high`. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low));
  }

  /** A stream of its own: how much of it is used leaves this one as it is. */
  fork(): Random {
    return new Random(this.integer(0, 2 ** 32));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.integer(0, items.length)] ?? items[0];
  }

  /** By weight. */
  weighted<T>(items: readonly (readonly [weight: number, item: T])[]): T {
    let rest = this.next() * items.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, item] of items) {
      rest -= weight;
      if (rest < 0) return item;
    }
    return (items.at(-1) as readonly [number, T])[1];
  }

  /** What breaks naive quoting, cutting and copying among it. */
  text(longest = 40): string {
    const parts = [
      'a',
      'Zürich',
      ' ',
      '  ',
      "'",
      '"',
      '\\',
      '\\N',
      '\n',
      '\t',
      ',',
      '{',
      '}',
      '漢字',
      '😀',
      'NULL',
      '%',
      '\r',
    ];
    let text = '';
    const length = this.integer(0, longest);
    while (text.length < length) text += this.pick(parts as [string, ...string[]]);
    return text;
  }
}
