import type { TopicPartition } from './interfaces.ts';

/** As messages name it, and maps keep it: `topic/0`. */
export function partitionName({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

/** As errors carry it. */
export function placeOf({ topic, partition }: TopicPartition) {
  return { topic, partition };
}
