import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergeTable, type RowLines } from '../../services/control/verification/merge.ts';
import { compareOrder, type RowOrder, unescapeCopy } from '../../services/control/verification/order.ts';

/** Every other row has to be waited for. */
function lines(rows: readonly string[]): RowLines {
  const left = rows.map((row) => Buffer.from(row));
  return {
    take: () => (left.length % 2 === 0 ? left.shift() : undefined),
    next: async () => left.shift(),
  };
}

const compare = (order: RowOrder, source: readonly string[], destination: readonly string[]) =>
  mergeTable(lines(source), lines(destination), order);

describe('merging two ends of a table', () => {
  it('finds what is missing, what is extra and what differs, with their keys', async () => {
    const found = await compare('number', ['1\ta', '2\tb', '10\tc', '11\td'], ['1\ta', '9\tx', '10\tC', '11\td']);
    expect(found).toEqual({
      rows: { source: 4, destination: 4 },
      missing: 1,
      extra: 1,
      different: 1,
      examples: [
        { kind: 'missing', key: '2' },
        { kind: 'extra', key: '9' },
        { kind: 'different', key: '10' },
      ],
    });
  });

  it.each([
    ['a NULL against an empty text', '1\t\\N', '1\t'],
    ['a trailing space', '1\tx', '1\tx '],
    ['a number written otherwise', '1\t1.0', '1\t1.00'],
  ])('sees %s', async (_, source, destination) => {
    expect((await compare('number', [source], [destination])).different).toBe(1);
  });

  it('counts equal rows without a key as often as they are there, and names none', async () => {
    const found = await compare('hash', ['aa\tx', 'aa\tx', 'bb\ty'], ['aa\tx', 'bb\ty']);
    expect(found).toMatchObject({ missing: 1, extra: 0, different: 0, examples: [] });
  });

  it('agrees with sets, whatever the rows', async () => {
    const side = fc.uniqueArray(fc.tuple(fc.integer({ min: -50, max: 50 }), fc.integer({ min: 0, max: 2 })), {
      selector: ([key]) => key,
    });
    await fc.assert(
      fc.asyncProperty(side, side, async (a, b) => {
        const sorted = (rows: typeof a) =>
          [...rows].sort((x, y) => x[0] - y[0]).map(([key, value]) => `${key}\t${value}`);
        const inB = new Map(b);
        const inA = new Map(a);
        const found = await compare('number', sorted(a), sorted(b));
        expect(found.rows).toEqual({ source: a.length, destination: b.length });
        expect(found.missing).toBe(a.filter(([key]) => !inB.has(key)).length);
        expect(found.extra).toBe(b.filter(([key]) => !inA.has(key)).length);
        expect(found.different).toBe(a.filter(([key, value]) => inB.has(key) && inB.get(key) !== value).length);
      }),
    );
  });
});

describe('order of keys', () => {
  it('compares texts by the bytes behind COPY escapes', () => {
    // A tab is below a space, its escape is above it.
    expect(compareOrder('text', Buffer.from('a\\tb'), Buffer.from('a b'))).toBeLessThan(0);
    expect(unescapeCopy(Buffer.from('\\\\N\\n\\r\\tü')).toString()).toBe('\\N\n\r\tü');
  });

  it('compares numbers by value, to 64 bits', () => {
    const large = Buffer.from('9223372036854775807');
    expect(compareOrder('number', Buffer.from('9'), Buffer.from('10'))).toBeLessThan(0);
    expect(compareOrder('number', large, Buffer.from('9223372036854775806'))).toBeGreaterThan(0);
    expect(compareOrder('number', large, large)).toBe(0);
  });
});
