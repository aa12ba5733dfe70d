import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isSluiceError } from '../../shared/errors.ts';
import { schemaFilter, selector, tableFilter } from '../../shared/task/selection.ts';
import type { NameFilter } from '../../shared/task/task.ts';

const filter = (include: readonly string[], exclude: readonly string[] = []): NameFilter => ({ include, exclude });
const all = filter([]);

describe('table patterns', () => {
  const takes = (pattern: string, schema: string, name: string) => tableFilter(filter([pattern]))([{ schema, name }]);

  test('names are taken as written, * stands for any characters', () => {
    expect(takes('shop.orders', 'shop', 'orders')).toBe(true);
    expect(takes('shop.orders', 'shop', 'Orders')).toBe(false);
    expect(takes('shop.orders', 'shop', 'orders2')).toBe(false);
    expect(takes('shop.order*', 'shop', 'orders2')).toBe(true);
    expect(takes('*.o*s', 'any', 'orders')).toBe(true);
    expect(takes('*.*', 'a.b', 'c.d')).toBe(true);
    expect(takes('s.a+b', 's', 'aab')).toBe(false);
    expect(takes('s.a+b', 's', 'a+b')).toBe(true);
    expect(takes('s.*', 's', 'line\nbreak')).toBe(true);
  });

  test('a quoted part stands for itself', () => {
    expect(takes('s."a.b"', 's', 'a.b')).toBe(true);
    expect(takes('s."a*"', 's', 'ab')).toBe(false);
    expect(takes('"s""x"."a*"', 's"x', 'a*')).toBe(true);
  });

  test('every name is selected by itself quoted, and by nothing else quoted', () => {
    const name = fc.string({ minLength: 1, maxLength: 10, unit: 'grapheme' });
    const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
    fc.assert(
      fc.property(name, name, name, (schema, table, other) => {
        expect(takes(`${quoted(schema)}.${quoted(table)}`, schema, table)).toBe(true);
        expect(takes(`${quoted(schema)}.${quoted(table)}`, schema, other)).toBe(other === table);
      }),
    );
  });

  test.each(['orders', '', '.', 'a.', '.b', 'a.b.c', 'a."b', '"a"b.c', 's.""'])('%j is refused', (pattern) => {
    expect(() => tableFilter(filter([pattern]))).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });

  test('a dot in a schema has to be quoted', () => {
    expect(() => schemaFilter(filter(['a.b']))).toThrow();
    expect(schemaFilter(filter(['"a.b"']))('a.b')).toBe(true);
  });
});

describe('what a task selects', () => {
  test('everything but the system schemas and our own', () => {
    const { table } = selector({ schemas: all, tables: all });
    expect(table([{ schema: 'public', name: 'a' }])).toBe(true);
    for (const schema of ['pg_catalog', 'pg_toast', 'pg_temp_3', 'information_schema', 'sluice']) {
      expect(table([{ schema, name: 'a' }])).toBe(false);
    }
  });

  test('exclude wins, and schema and table must agree', () => {
    const { table } = selector({ schemas: filter(['a', 'b']), tables: filter(['*.x*'], ['b.x1']) });
    expect(table([{ schema: 'a', name: 'x1' }])).toBe(true);
    expect(table([{ schema: 'b', name: 'x1' }])).toBe(false);
    expect(table([{ schema: 'b', name: 'x2' }])).toBe(true);
    expect(table([{ schema: 'c', name: 'x2' }])).toBe(false);
    expect(table([{ schema: 'a', name: 'y' }])).toBe(false);
  });

  test('a partitioned table stands for its partitions', () => {
    const leaf = [
      { schema: 's', name: 'leaf' },
      { schema: 's', name: 'middle' },
      { schema: 's', name: 'root' },
    ];
    expect(selector({ schemas: all, tables: filter(['s.root']) }).table(leaf)).toBe(true);
    expect(selector({ schemas: all, tables: filter(['s.root'], ['s.middle']) }).table(leaf)).toBe(false);
    expect(selector({ schemas: all, tables: filter(['s.other']) }).table(leaf)).toBe(false);
  });

  test('the refusal names the pattern', () => {
    try {
      selector({ schemas: all, tables: filter(['orders']) });
      expect.unreachable();
    } catch (error) {
      expect(isSluiceError(error, 'CONFIG_INVALID') && error.message).toContain('"orders"');
    }
  });
});
