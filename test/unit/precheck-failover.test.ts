import { expect, test } from 'vitest';
import { type FailoverFacts, judgeFailover } from '../../services/control/prechecks/source-failover.ts';

const standby = { name: 'a', active: true, feedback: true };
const good: FailoverFacts = { version: 170_004, slots: [standby], waitedFor: ['a'], synchronising: 1 };

test.each<[string, Partial<FailoverFacts>, RegExp[]]>([
  ['all is set', {}, []],
  ['the account may not see sessions', { synchronising: null }, []],
  ['before 17', { version: 160_004 }, [/needs PostgreSQL 17/]],
  ['no standby', { slots: [] }, [/no standby streams/]],
  ['a standby that is away', { slots: [{ ...standby, active: false }] }, [/no standby streams/]],
  ['no feedback', { slots: [{ ...standby, feedback: false }] }, [/feedback/]],
  ['no synchronisation', { synchronising: 0 }, [/synchronises slots/]],
  ['capture may get ahead', { waitedFor: [] }, [/may get ahead/]],
  ['capture would wait', { waitedFor: ['a', 'b'] }, [/names b, from which no standby streams/]],
])('%s', (_, facts, expected) => {
  const found = judgeFailover({ ...good, ...facts });
  expect(found).toHaveLength(expected.length);
  for (const [i, pattern] of expected.entries()) expect(found[i]?.message).toMatch(pattern);
  expect(found.every(({ severity }) => severity === 'warning')).toBe(facts.version === undefined);
});
