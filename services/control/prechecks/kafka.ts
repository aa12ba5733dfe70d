import { manifestTopic, schemaTopic, tableTopic } from '../../../shared/kafka/topic-names.ts';
import { precheck } from './finding.ts';

/** Reaching Kafka is part of looking; a topic that exists with other settings is what is judged by ensureTopics itself. */
export const topicSettings = precheck({
  name: 'topics of the task',
  look: async ({ kafka, task, tables }) => {
    const admin = await kafka.admin();
    try {
      await admin.clusterId();
      const wanted = [
        { topic: manifestTopic(task.name), partitions: 1 },
        { topic: schemaTopic(task.name), partitions: 1 },
        ...tables.map((table) => ({ topic: tableTopic(task.name, table), partitions: task.kafka.partitions })),
      ];
      const existing = await admin.existing(wanted.map(({ topic }) => topic));
      const present = wanted.filter(({ topic }) => existing.has(topic));
      if (present.length > 0) await admin.ensureTopics(present);
    } finally {
      await admin.close();
    }
  },
  judge: () => [],
});
