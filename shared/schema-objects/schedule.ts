import type { SchemaSection } from '../envelope/schema-object.ts';
import { tableKey } from '../postgres/identifiers.ts';
import { describeObject, isOpen, isThere, type StoredObject } from './stored-objects.ts';

type Lock = 'shared' | 'exclusive';

/** Objects that one connection creates in one transaction, in this order. */
export interface Unit {
  readonly objects: readonly StoredObject[];
  /** By tableKey, which tables it keeps others from, and whether those that share may come in. */
  readonly locks: ReadonlyMap<string, Lock>;
}

export interface ScheduleOptions {
  readonly section: SchemaSection;
  /** An object on a table of which this says no may take long, and comes alone. */
  readonly isQuick: (tableKey: string) => boolean;
}

/** Why an object is not there: the first cause, and what became of that. */
interface Missing {
  readonly cause: StoredObject;
  readonly why: string;
}

const MOST_OBJECTS = 100;
const MOST_BYTES = 256 * 1024;
/** What belongs to no table is created one unit after the other. */
const NO_TABLE = '';

/**
 * Decides what of a section may be created next: what it needs is there, and no unit under way keeps its tables.
 * What needs an object that is not there is skipped, with the reason. Pure.
 */
export class Schedule {
  readonly #options: ScheduleOptions;
  readonly #byNumber: ReadonlyMap<number, StoredObject>;
  /** In creation order. */
  #waiting: StoredObject[];
  readonly #there = new Set<number>();
  readonly #missing = new Map<number, Missing>();
  readonly #alone = new Set<number>();
  readonly #underWay = new Set<Unit>();
  readonly #ended: StoredObject[] = [];

  constructor(objects: readonly StoredObject[], options: ScheduleOptions) {
    this.#options = options;
    this.#byNumber = new Map(objects.map((object) => [object.number, object]));
    this.#waiting = objects.filter((object) => object.section === options.section && isOpen(object));
    for (const object of objects) {
      if (isThere(object)) this.#there.add(object.number);
      else if (object.state === 'left out') this.#missing.set(object.number, missing(object));
      else if (object.section !== options.section) this.#missing.set(object.number, this.#earlier(object));
    }
  }

  get open(): number {
    return this.#waiting.length;
  }

  get isDone(): boolean {
    return this.#waiting.length === 0 && this.#underWay.size === 0;
  }

  /** Those that failed or are skipped, with the reason; each is given once. */
  takeEnded(): StoredObject[] {
    return this.#ended.splice(0);
  }

  /** null: nothing can be begun before something under way has ended. */
  take(): Unit | null {
    const objects: StoredObject[] = [];
    const locks = new Map<string, Lock>();
    const inUnit = new Set<number>();
    const left: StoredObject[] = [];
    let room = MOST_BYTES;
    for (const object of this.#waiting) {
      const own = this.#locksOf(object);
      const alone = this.#isAlone(object, own);
      if (this.#skips(object)) continue;
      const ready = object.needs.every((number) => this.#there.has(number) || inUnit.has(number));
      if (room <= 0 || !ready || this.#isKept(own) || (alone && objects.length > 0)) {
        left.push(object);
        continue;
      }
      objects.push(object);
      inUnit.add(object.number);
      for (const [key, lock] of own) if (locks.get(key) !== 'exclusive') locks.set(key, lock);
      room = alone || objects.length === MOST_OBJECTS ? 0 : room - object.sql.length;
    }
    this.#waiting = left;
    if (objects.length === 0) return this.#giveUp();
    const unit = { objects, locks };
    this.#underWay.add(unit);
    return unit;
  }

  created(unit: Unit): void {
    this.#underWay.delete(unit);
    for (const { number } of unit.objects) this.#there.add(number);
  }

  /** Of a unit of one object. */
  failed(unit: Unit, { reason, sqlstate }: { readonly reason: string; readonly sqlstate: string }): void {
    this.#underWay.delete(unit);
    for (const object of unit.objects) this.#end({ ...object, state: 'failed', reason, sqlstate });
  }

  /** One of several objects cannot be created: each is tried by itself. */
  takeApart(unit: Unit): void {
    this.#underWay.delete(unit);
    for (const { number } of unit.objects) this.#alone.add(number);
    this.#waiting = [...unit.objects, ...this.#waiting].sort((a, b) => a.number - b.number);
  }

  #isAlone({ number }: StoredObject, locks: ReadonlyMap<string, Lock>): boolean {
    return this.#alone.has(number) || ![...locks.keys()].every((key) => key === NO_TABLE || this.#options.isQuick(key));
  }

  #isKept(locks: ReadonlyMap<string, Lock>): boolean {
    for (const unit of this.#underWay) {
      for (const [key, lock] of locks) {
        const held = unit.locks.get(key);
        if (held === 'exclusive' || (held === 'shared' && lock === 'exclusive')) return true;
      }
    }
    return false;
  }

  #locksOf(object: StoredObject): Map<string, Lock> {
    const tables = [object.table, ...object.needs.map((number) => this.#byNumber.get(number)?.table ?? null)];
    const keys = tables.flatMap((table) => (table === null ? [] : [tableKey(table)]));
    const lock: Lock = object.kind === 'index' ? 'shared' : 'exclusive';
    return new Map((keys.length === 0 ? [NO_TABLE] : keys).map((key) => [key, lock]));
  }

  #skips(object: StoredObject): boolean {
    const need = object.needs.find((number) => this.#missing.has(number));
    if (need === undefined) return false;
    const { cause, why } = this.#missing.get(need)!;
    const reason = `needs ${describeObject(cause)}, which ${why}`;
    this.#end({ ...object, state: 'skipped', reason, sqlstate: null }, { cause, why });
    return true;
  }

  #end(object: StoredObject, because: Missing = missing(object)): void {
    this.#missing.set(object.number, because);
    this.#ended.push(object);
  }

  /** What an earlier section could not create; the reason of what it skipped names the first cause already. */
  #earlier(object: StoredObject): Missing {
    const need = object.needs.find((number) => this.#missing.has(number));
    return object.state === 'skipped' && need !== undefined ? this.#missing.get(need)! : missing(object);
  }

  /** With nothing under way, what still waits needs something that no section creates. */
  #giveUp(): null {
    if (this.#underWay.size > 0) return null;
    for (const object of this.#waiting.splice(0)) {
      const need = this.#byNumber.get(object.needs.find((number) => !this.#there.has(number)) ?? -1);
      const reason = `needs ${need ? describeObject(need) : 'an object'}, which is not there`;
      this.#end({ ...object, state: 'skipped', reason, sqlstate: null });
    }
    return null;
  }
}

function missing(object: StoredObject): Missing {
  const why: Partial<Record<StoredObject['state'], string>> = {
    'left out': `is not carried: ${object.reason}`,
    failed: 'failed',
    skipped: `is skipped: ${object.reason}`,
  };
  return { cause: object, why: why[object.state] ?? 'is not created yet' };
}
