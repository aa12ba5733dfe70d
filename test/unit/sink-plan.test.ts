import { describe, expect, test } from 'vitest';
import { plan, type Step, type Targets } from '../../services/sink-postgres/apply/plan.ts';
import { tupleOf } from '../../services/sink-postgres/apply/row.ts';
import { type DestinationTable, makeTarget } from '../../services/sink-postgres/apply/target.ts';
import { type Change, type TableShape, UNKNOWN } from '../../shared/envelope/change-event.ts';
import { EventLog, insert, packed, remove, tableShape, truncate, update } from '../support/sink-events.ts';

const items = tableShape('items', ['id* int8', 'name text', 'doc text']);
const loose = tableShape('loose', ['a int4', 'b text'], 'full');

function destinationTable(shape: TableShape): DestinationTable {
  return {
    schema: shape.schema,
    name: shape.name,
    partitioned: false,
    columns: shape.columns.map(({ name, type }) => {
      return { name, type, element: type, delimiter: ',', plain: false, domain: false, generated: false };
    }),
    uniqueKeys: [{ columns: ['id'], equals: ['OPERATOR(pg_catalog.=)'] }],
  };
}

const targetsOf = new Map([items, loose].map((shape) => [shape, makeTarget(shape, destinationTable(shape))]));
const targets: Targets = {
  target: ({ shape }) => targetsOf.get(shape)!,
  truncated: (event) => {
    const change = event.unpack();
    return {
      tables: [destinationTable(items)],
      restartIdentity: change.op === 't' && change.truncate.restartIdentity,
    };
  },
};

function planned(...changes: Change[]): Step[] {
  return plan(packed(new EventLog().transaction(changes.map((change) => [items, change]))), targets);
}

/** What a step does, in short. */
function short(step: Step): unknown[] {
  switch (step.kind) {
    case 'delete':
      return ['delete', step.rows.map((row) => tupleOf(row)[0])];
    case 'sweep':
      return ['sweep', step.rows.map((row) => tupleOf(row)[0])];
    case 'alter':
      return ['alter', step.rows.map(({ before, after }) => [before, after])];
    case 'update':
      return ['update', step.set, step.rows.map(tupleOf)];
    case 'insert':
      return ['insert', step.rows.map(tupleOf)];
    case 'remove':
      return ['remove', step.rows];
    case 'single':
      return ['single', step.change.op];
    case 'truncate':
      return ['truncate', step.restartIdentity];
  }
}

describe('plan', () => {
  test('gathers the changes of a table by kind: deletes, updates, inserts', () => {
    const steps = planned(
      insert(['1', 'a', 'x']),
      remove(['2', UNKNOWN, UNKNOWN]),
      update(['3', 'c', 'z']),
      insert(['4', 'd', 'w']),
    );
    expect(steps.map(short)).toEqual([
      ['delete', ['2']],
      ['update', [1, 2], [['3', 'c', 'z']]],
      [
        'insert',
        [
          ['1', 'a', 'x'],
          ['4', 'd', 'w'],
        ],
      ],
    ]);
  });

  test('folds changes of one row, and keeps a value that the WAL did not carry from the change before', () => {
    const steps = planned(
      update(['1', 'a', 'big']),
      update(['1', 'b', UNKNOWN]),
      insert(['2', 'x', 'doc']),
      update(['2', 'y', UNKNOWN]),
    );
    expect(steps.map(short)).toEqual([
      ['update', [1, 2], [['1', 'b', 'big']]],
      ['insert', [['2', 'y', 'doc']]],
    ]);
  });

  test('leaves out of SET what nobody knows, grouped by what is known', () => {
    const steps = planned(update(['1', 'a', UNKNOWN]), update(['2', 'b', 'doc']), update(['3', 'c', UNKNOWN]));
    expect(steps.map(short)).toEqual([
      [
        'update',
        [1],
        [
          ['1', 'a', UNKNOWN],
          ['3', 'c', UNKNOWN],
        ],
      ],
      ['update', [1, 2], [['2', 'b', 'doc']]],
    ]);
  });

  test('a row that came and went is swept: it should not be there', () => {
    expect(planned(insert(['1', 'a', 'x']), remove(['1', UNKNOWN, UNKNOWN])).map(short)).toEqual([['sweep', ['1']]]);
  });

  test('a row deleted and inserted again is both, and counted once', () => {
    const steps = planned(
      remove(['1', UNKNOWN, UNKNOWN]),
      insert(['1', 'a', 'x']),
      remove(['1', UNKNOWN, UNKNOWN]),
      insert(['1', 'b', 'y']),
    );
    expect(steps.map(short)).toEqual([
      ['delete', ['1']],
      ['insert', [['1', 'b', 'y']]],
    ]);
  });

  test('a change of the key ends the run and stands alone', () => {
    const steps = planned(
      update(['1', 'a', 'x']),
      update(['2', 'a', 'x'], ['1', UNKNOWN, UNKNOWN]),
      update(['2', 'b', 'x']),
    );
    expect(steps.map(short)).toEqual([
      ['update', [1, 2], [['1', 'a', 'x']]],
      ['single', 'u'],
      ['update', [1, 2], [['2', 'b', 'x']]],
    ]);
  });

  test('under FULL an old row with the same key is no change of the key', () => {
    expect(planned(update(['1', 'b', 'x'], ['1', 'a', 'x'])).map(short)).toEqual([
      ['update', [1, 2], [['1', 'b', 'x']]],
    ]);
  });

  test('TRUNCATE ends the run of its table', () => {
    const steps = planned(insert(['1', 'a', 'x']), truncate([items], true), insert(['1', 'b', 'y']));
    expect(steps.map(short)).toEqual([
      ['insert', [['1', 'a', 'x']]],
      ['truncate', true],
      ['insert', [['1', 'b', 'y']]],
    ]);
  });

  test('what does not follow from the folded change begins a new run', () => {
    const steps = planned(remove(['1', UNKNOWN, UNKNOWN]), update(['1', 'a', 'x']));
    expect(steps.map(short)).toEqual([
      ['delete', ['1']],
      ['update', [1, 2], [['1', 'a', 'x']]],
    ]);
  });

  test('keys of several columns do not run into each other', () => {
    const pairs = tableShape('items', ['a* text', 'b* text']);
    const target = makeTarget(pairs, { ...destinationTable(pairs), uniqueKeys: [] });
    const changes = [insert(['x', 'yz']), insert(['xy', 'z'])].map((change): [TableShape, Change] => [pairs, change]);
    const steps = plan(packed(new EventLog().transaction(changes)), { ...targets, target: () => target });
    expect(steps.map(short)).toEqual([
      [
        'insert',
        [
          ['x', 'yz'],
          ['xy', 'z'],
        ],
      ],
    ]);
  });

  test('without a key changes fold as fates of rows, whichever of equal ones', () => {
    const changes = [
      insert(['1', 'a']),
      insert(['1', 'a']),
      update(['2', 'a'], ['1', 'a']),
      remove(['1', 'a']),
      update(['5', 'x'], ['4', 'x']),
      update(['6', 'x'], ['5', 'x']),
      remove(['9', 'z']),
      remove(['9', 'z']),
      insert(['3', null]),
    ].map((change): [TableShape, Change] => [loose, change]);
    expect(plan(packed(new EventLog().transaction(changes)), targets).map(short)).toEqual([
      [
        'remove',
        [
          ['9', 'z'],
          ['9', 'z'],
        ],
      ],
      [
        'alter',
        [
          [
            ['4', 'x'],
            ['6', 'x'],
          ],
        ],
      ],
      [
        'insert',
        [
          ['2', 'a'],
          ['3', null],
        ],
      ],
    ]);
  });

  test('without a key a value that the WAL did not carry is the one of the old row', () => {
    const changes = [update(['2', UNKNOWN], ['1', 'big'])].map((change): [TableShape, Change] => [loose, change]);
    expect(plan(packed(new EventLog().transaction(changes)), targets).map(short)).toEqual([
      [
        'alter',
        [
          [
            ['1', 'big'],
            ['2', 'big'],
          ],
        ],
      ],
    ]);
  });
});
