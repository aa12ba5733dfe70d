import type { Kafka } from '../../../shared/kafka/interfaces.ts';
import { deadLetterTopic, manifestTopic, schemaTopic, snapshotTopic } from '../../../shared/kafka/topic-names.ts';
import type { Task } from '../../../shared/task/task.ts';
import { registryRequest } from '../registry-request.ts';

export interface ReleasedTopics {
  readonly topics: readonly string[];
  readonly subjects: readonly string[];
}

/**
 * Deletes the task's topics and the registry subjects of its tables: those that the manifest names, nothing by prefix.
 * The manifest goes last, so that an interrupted release can be repeated.
 */
export async function releaseTopics(
  kafka: Kafka,
  task: Task,
  tableTopics: ReadonlySet<string>,
): Promise<ReleasedTopics> {
  const subjects = await deleteSubjects(task, tableTopics);
  const others = [
    ...tableTopics,
    snapshotTopic(task.name),
    schemaTopic(task.name),
    deadLetterTopic(task.name, task.sink.name),
  ];
  const admin = await kafka.admin();
  try {
    const topics: string[] = [];
    for (const names of [others, [manifestTopic(task.name)]]) {
      const existing = [...(await admin.existing(names))];
      if (existing.length > 0) await admin.deleteTopics(existing);
      topics.push(...existing);
    }
    return { topics, subjects };
  } finally {
    await admin.close();
  }
}

/** Twice: a subject is deleted for good only after it was deleted softly. */
async function deleteSubjects(task: Task, tableTopics: ReadonlySet<string>): Promise<string[]> {
  const { registry } = task.kafka;
  const all = await registryRequest(registry, 'GET', '/subjects?deleted=true');
  const known = new Set(Array.isArray(all) ? all.map(String) : []);
  const deleted: string[] = [];
  for (const subject of [...tableTopics].flatMap((topic) => [`${topic}-key`, `${topic}-value`])) {
    if (!known.has(subject)) continue;
    const path = `/subjects/${encodeURIComponent(subject)}`;
    await registryRequest(registry, 'DELETE', path);
    await registryRequest(registry, 'DELETE', `${path}?permanent=true`);
    deleted.push(subject);
  }
  return deleted;
}
