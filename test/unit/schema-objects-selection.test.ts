import { describe, expect, test } from 'vitest';
import { objectsOfTables } from '../../services/sink-postgres/schema/objects-of-tables.ts';
import type { SchemaObject } from '../../shared/envelope/schema-object.ts';
import { initialStates } from '../../shared/schema-objects/existing-objects.ts';

const table = (name: string) => ({ schema: 's', name });

function object(number: number, kind: string, name: string, given: Partial<SchemaObject> = {}): SchemaObject {
  const identity = { type: kind, identity: `s.${name}` };
  return { number, section: 'pre-data', kind, schema: 's', name, table: null, sql: `${number}`, identity, ...given };
}

const objects: readonly SchemaObject[] = [
  object(0, 'schema', 's'),
  object(1, 'type', 'mood', { needs: [0] }),
  object(2, 'comment', 'mood', { needs: [1], identity: null }),
  object(3, 'function', 'other', { needs: [0] }),
  object(4, 'table', 'a', { needs: [0, 1], table: table('a') }),
  object(5, 'table', 'b', { needs: [0], table: table('b') }),
  object(6, 'view', 'v', { needs: [4] }),
  object(7, 'comment', 'a', { needs: [4], table: table('a'), identity: null }),
  object(8, 'index', 'a_i', { needs: [4], table: table('a') }),
  object(9, 'foreign key', 'a_b', { needs: [4, 5], table: table('a') }),
  object(10, 'index', 'b_i', { needs: [5], table: table('b') }),
];

describe('what a sink of some tables creates', () => {
  test('its tables with what belongs to them and what they need; what needs another table is left out', () => {
    const taken = objectsOfTables(objects, ({ name }) => name === 'a');
    expect(taken.map(({ number }) => number)).toEqual([0, 1, 2, 4, 7, 8, 9]);
    expect(taken.find(({ number }) => number === 9)?.leftOut).toBe('it needs "s"."b", which this sink does not take');
    expect(taken.filter(({ leftOut }) => leftOut)).toHaveLength(1);
  });
});

describe('what existed before', () => {
  test('what speaks of kept objects only is kept; what adds to them is created', () => {
    const states = initialStates(objects, new Set([0, 1, 4]));
    expect([...states].map(([number, { state }]) => [number, state])).toEqual([
      [0, 'existed'],
      [1, 'existed'],
      [2, 'existed'],
      [4, 'existed'],
      [7, 'existed'],
    ]);
  });

  test('a schema that is there is nobody’s conflict: what is said of it is done', () => {
    const comment = object(1, 'comment', 's', { needs: [0], identity: null });
    expect([...initialStates([objects[0]!, comment], new Set([0])).keys()]).toEqual([0]);
  });
});
