import { describe, expect, test } from 'vitest';
import { checkAnswers, type SentBatch } from '../../shared/kafka/answers.ts';
import type { ProduceAnswer } from '../../shared/kafka/protocol.ts';

const sent = (topic: string, partition: number, count = 3): SentBatch => ({
  topic,
  partition,
  count,
  crc32c: 7,
  bytes: 9,
});
const answer = (partition: number, baseOffset: bigint, code = 0): ProduceAnswer => ({ partition, baseOffset, code });
const of = (topic: string, ...partitions: ProduceAnswer[]) => ({ topic, partitions });
const nothingListed = { floor: () => 0n };
const refusal = (code: string) => expect.objectContaining({ code });

describe('answers to a produce request', () => {
  test('count when each topic-partition stands in them once', () => {
    const answers = [of('b', answer(0, 5n)), of('a', answer(1, 0n), answer(0, 9n))];
    expect(checkAnswers([sent('a', 0), sent('a', 1, 2), sent('b', 0)], answers, nothingListed)).toEqual([
      { topic: 'a', partition: 0, offset: 9n, count: 3, crc32c: 7, bytes: 9 },
      { topic: 'a', partition: 1, offset: 0n, count: 2, crc32c: 7, bytes: 9 },
      { topic: 'b', partition: 0, offset: 5n, count: 3, crc32c: 7, bytes: 9 },
    ]);
  });

  test.each([
    ['a missing partition', [of('a', answer(0, 0n))]],
    ['no answer at all', []],
    ['a partition named twice', [of('a', answer(0, 0n), answer(1, 0n), answer(1, 0n))]],
    [
      'a partition named twice under two topics entries',
      [of('a', answer(0, 0n), answer(1, 0n)), of('a', answer(1, 0n))],
    ],
    ['a partition that was not sent', [of('a', answer(0, 0n), answer(1, 0n), answer(2, 0n))]],
    ['a negative offset', [of('a', answer(0, 0n), answer(1, -1n))]],
  ])('do not count with %s', (_, answers) => {
    expect(() => checkAnswers([sent('a', 0), sent('a', 1)], answers, nothingListed)).toThrow(
      refusal('KAFKA_PRODUCE_FAILED'),
    );
  });

  test('do not count below the end of what is listed', () => {
    const floors = { floor: (topic: string, partition: number) => (topic === 'a' && partition === 0 ? 10n : 0n) };
    expect(checkAnswers([sent('a', 0)], [of('a', answer(0, 10n))], floors)).toHaveLength(1);
    expect(() => checkAnswers([sent('a', 0)], [of('a', answer(0, 9n))], floors)).toThrow(
      refusal('KAFKA_PRODUCE_FAILED'),
    );
  });

  test.each([
    [6, 'KAFKA_PRODUCE_FAILED'],
    [19, 'KAFKA_PRODUCE_FAILED'],
    [3, 'KAFKA_TOPIC_MISSING'],
    [10, 'KAFKA_RECORD_TOO_LARGE'],
    [29, 'KAFKA_AUTH_FAILED'],
  ])('say what an error code %i means', (code, expected) => {
    expect(() => checkAnswers([sent('a', 0)], [of('a', answer(0, 0n, code))], nothingListed)).toThrow(
      refusal(expected),
    );
  });
});
