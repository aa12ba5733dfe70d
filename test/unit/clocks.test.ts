import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = new URL('../..', import.meta.url).pathname;

/** Where a time of day is meant, for people and protocols; durations and deadlines are performance.now()'s. */
const timesOfDay = [
  'services/capture/start/start-path.ts',
  'services/capture/stream/replication-messages.ts',
  'services/control/observe/observer.ts',
  'services/control/progress/display.ts',
  'services/control/verification/consistent-point.ts',
  'shared/envelope/event-encoder.ts',
  'shared/kafka/kafkajs.ts',
  'shared/kafka/producer.ts',
  'shared/kafka/record-writer.ts',
];

test('no deadline depends on the wall clock, which may jump', () => {
  const files = ['services', 'shared'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => join(folder, file)),
  );
  const found = files.filter((file) => /\bDate\.now\(|new Date\(\)/.test(readFileSync(join(root, file), 'utf8')));
  expect(files.length).toBeGreaterThan(100);
  expect(found.sort()).toEqual(timesOfDay);
});
