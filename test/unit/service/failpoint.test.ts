import { expect, test } from 'vitest';
import { failpoint, parseFailpoints } from '../../../shared/service/failpoint.ts';

test('reads actions, counts and error codes', () => {
  expect(parseFailpoints('a.b-c=kill@3; d=pause ;e=error;f=error:KAFKA_PRODUCE_FAILED@2;g=count')).toEqual(
    new Map([
      ['a.b-c', { action: 'kill', at: 3 }],
      ['d', { action: 'pause', at: 1 }],
      ['e', { action: { error: 'INTERNAL' }, at: 1 }],
      ['f', { action: { error: 'KAFKA_PRODUCE_FAILED' }, at: 2 }],
      ['g', { action: 'count', at: 1 }],
    ]),
  );
});

test.each(['a', 'a=', 'a=die', 'a=kill@0', 'a=kill@x', 'a=error:NO_SUCH_CODE', 'a=error:toString'])(
  'refuses %s',
  (text) => {
    expect(() => parseFailpoints(text)).toThrow('SLUICE_FAILPOINTS');
  },
);

test('does nothing where the environment names none', () => {
  expect(failpoint('anything')).toBeUndefined();
});
