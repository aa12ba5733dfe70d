import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Schedule, type Unit } from '../../shared/schema-objects/schedule.ts';
import type { StoredObject } from '../../shared/schema-objects/stored-objects.ts';
import { storedObject } from '../support/stored-object.ts';

const quick = { section: 'post-data', isQuick: () => true } as const;
const slow = { section: 'post-data', isQuick: () => false } as const;
const numbers = (unit: Unit | null) => unit?.objects.map(({ number }) => number);
const refusal = { reason: 'no', sqlstate: '42P01' };

describe('schedule of schema objects', () => {
  test('quick ones come together, in creation order, with what they need', () => {
    const schedule = new Schedule([storedObject(0), storedObject(1, { needs: [0] }), storedObject(2)], quick);
    const unit = schedule.take();
    expect(numbers(unit)).toEqual([0, 1, 2]);
    expect(schedule.take()).toBeNull();
    expect(schedule.isDone).toBe(false);
    schedule.created(unit!);
    expect(schedule.isDone).toBe(true);
  });

  test('what needs an object that is under way waits for it', () => {
    const schedule = new Schedule([storedObject(0), storedObject(1, { needs: [0] }), storedObject(2)], slow);
    const first = schedule.take();
    const second = schedule.take();
    expect([numbers(first), numbers(second)]).toEqual([[0], [2]]);
    expect(schedule.take()).toBeNull();
    schedule.created(first!);
    expect(numbers(schedule.take())).toEqual([1]);
  });

  test('indexes of a table share it, constraints have it for themselves', () => {
    const table = { schema: 's', name: 't' };
    const schedule = new Schedule(
      [
        storedObject(0, { kind: 'index', table }),
        storedObject(1, { kind: 'index', table }),
        storedObject(2, { kind: 'unique', table }),
        storedObject(3, { kind: 'index', table: { schema: 's', name: 'u' } }),
      ],
      slow,
    );
    const units = [schedule.take(), schedule.take(), schedule.take()];
    expect(units.map(numbers)).toEqual([[0], [1], [3]]);
    expect(schedule.take()).toBeNull();
    for (const unit of units) schedule.created(unit!);
    expect(numbers(schedule.take())).toEqual([2]);
  });

  test('a foreign key has the table that it refers to for itself too', () => {
    const parent = storedObject(0, { section: 'pre-data', state: 'created' });
    const schedule = new Schedule(
      [
        parent,
        storedObject(1, { kind: 'foreign key', needs: [0] }),
        storedObject(2, { kind: 'index', table: parent.table }),
      ],
      slow,
    );
    expect(numbers(schedule.take())).toEqual([1]);
    expect(schedule.take()).toBeNull();
  });

  test('one that fails stops only what needs it, and is the reason that is given', () => {
    const schedule = new Schedule(
      [storedObject(0), storedObject(1, { needs: [0] }), storedObject(2, { needs: [1] }), storedObject(3)],
      quick,
    );
    schedule.takeApart(schedule.take()!);
    schedule.failed(schedule.take()!, refusal);
    expect(numbers(schedule.take())).toEqual([3]);
    expect(schedule.takeEnded().map(({ number, state, reason }) => [number, state, reason])).toEqual([
      [0, 'failed', 'no'],
      [1, 'skipped', 'needs table s.t0, which failed'],
      [2, 'skipped', 'needs table s.t0, which failed'],
    ]);
  });

  test('an earlier section that lacks something is the reason in a later one; failed ones are tried again', () => {
    const schedule = new Schedule(
      [
        storedObject(0, { section: 'pre-data', state: 'failed' }),
        storedObject(1, { section: 'pre-data', state: 'skipped', reason: 'needs ...', needs: [0] }),
        storedObject(2, { section: 'pre-data', state: 'left out', reason: 'no library' }),
        storedObject(3, { needs: [1] }),
        storedObject(4, { needs: [2] }),
        storedObject(5, { state: 'failed' }),
        storedObject(6, { state: 'created' }),
      ],
      quick,
    );
    expect(numbers(schedule.take())).toEqual([5]);
    expect(schedule.takeEnded().map(({ reason }) => reason)).toEqual([
      'needs table s.t0, which failed',
      'needs table s.t2, which is not carried: no library',
    ]);
  });

  test('whatever needs what and fails: each object ends once, none before what it needs', () => {
    const object = fc.record({
      needs: fc.array(fc.nat(20), { maxLength: 3 }),
      table: fc.nat(4),
      kind: fc.constantFrom('index', 'unique'),
      fails: fc.boolean(),
      large: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(object, { minLength: 1, maxLength: 21 }), fc.infiniteStream(fc.nat(7)), (given, random) => {
        const objects = given.map(({ needs, table, kind }, number) => {
          const smaller = needs.filter((need) => need < number);
          return storedObject(number, { kind, table: { schema: 's', name: `t${table}` }, needs: smaller });
        });
        const ended = run(objects, given, random);
        expect([...ended.keys()].sort((a, b) => a - b)).toEqual(objects.map(({ number }) => number));
        for (const { number, needs } of objects) {
          const missing = needs.some((need) => ended.get(need) !== 'created');
          expect(ended.get(number)).toBe(missing ? 'skipped' : given[number]?.fails ? 'failed' : 'created');
        }
      }),
    );
  });
});

type Given = readonly { readonly fails: boolean; readonly large: boolean }[];

/** Three connections in random order; every unit is checked when it begins. */
function run(objects: readonly StoredObject[], given: Given, random: Iterator<number>): Map<number, string> {
  const schedule = new Schedule(objects, { section: 'post-data', isQuick: (key) => !given[key.length % 3]?.large });
  const ended = new Map<number, string>();
  const underWay: Unit[] = [];
  while (!schedule.isDone) {
    const unit = underWay.length < 3 ? schedule.take() : null;
    for (const { number, state } of schedule.takeEnded()) ended.set(number, state);
    if (unit) {
      const inUnit = new Set(unit.objects.map(({ number }) => number));
      const ready = ({ needs }: StoredObject) =>
        needs.every((need) => ended.get(need) === 'created' || inUnit.has(need));
      expect(unit.objects.every(ready)).toBe(true);
      underWay.push(unit);
    } else if (underWay.length > 0) {
      end(schedule, underWay.splice(random.next().value % underWay.length, 1)[0]!);
    }
  }
  return ended;

  function end(on: Schedule, unit: Unit): void {
    const refused = unit.objects.filter(({ number }) => given[number]?.fails);
    if (refused.length === 0) {
      for (const { number } of unit.objects) ended.set(number, 'created');
      on.created(unit);
    } else if (unit.objects.length > 1) on.takeApart(unit);
    else on.failed(unit, refusal);
    for (const { number, state } of on.takeEnded()) ended.set(number, state);
  }
}
