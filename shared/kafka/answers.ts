import { SluiceError } from '../errors.ts';
import { codeFailure } from './failure.ts';
import type { FloorLookup, TopicPartition, Written } from './interfaces.ts';
import { partitionName } from './partition-name.ts';
import type { OfTopic, ProduceAnswer } from './protocol.ts';

/** What was sent to one topic-partition in one request. */
export interface SentBatch extends TopicPartition {
  readonly count: number;
  readonly crc32c: number;
  readonly bytes: number;
}

/**
 * An answer counts if it names every topic-partition sent exactly once, without an error, with a base offset not
 * below the floor; anything else leaves unknown what was written.
 * @throws SluiceError KAFKA_PRODUCE_FAILED, KAFKA_RECORD_TOO_LARGE, KAFKA_TOPIC_MISSING, KAFKA_AUTH_FAILED
 */
export function checkAnswers(
  sent: readonly SentBatch[],
  answers: readonly OfTopic<ProduceAnswer>[],
  floors: FloorLookup,
): Written[] {
  const answered = answersByPartition(answers);
  const written = sent.map((batch) => {
    const answer = answered.get(partitionName(batch));
    answered.delete(partitionName(batch));
    return checkAnswer(batch, answer, floors);
  });
  for (const name of answered.keys()) throw doubtful(`the answer names ${name}, which was not sent`);
  return written;
}

function answersByPartition(answers: readonly OfTopic<ProduceAnswer>[]): Map<string, ProduceAnswer> {
  const found = new Map<string, ProduceAnswer>();
  for (const { topic, partitions } of answers) {
    for (const answer of partitions) {
      const name = partitionName({ topic, partition: answer.partition });
      if (found.has(name)) throw doubtful(`the answer names ${name} twice`);
      found.set(name, answer);
    }
  }
  return found;
}

function checkAnswer(batch: SentBatch, answer: ProduceAnswer | undefined, floors: FloorLookup): Written {
  const { topic, partition } = batch;
  const name = partitionName(batch);
  if (!answer) throw doubtful(`the answer does not name ${name}`);
  if (answer.code !== 0)
    throw codeFailure(answer.code, `writing to ${name}`, 'KAFKA_PRODUCE_FAILED', { topic, partition });
  const floor = floors.floor(topic, partition);
  if (answer.baseOffset < floor || answer.baseOffset < 0n) {
    throw doubtful(`${name} answered offset ${answer.baseOffset}, below ${floor}, where its listed records end`);
  }
  return { ...batch, offset: answer.baseOffset };
}

function doubtful(detail: string): SluiceError {
  return new SluiceError('KAFKA_PRODUCE_FAILED', detail);
}
