import { encodeSchemaObject, type SchemaObject } from '../../../shared/envelope/schema-object.ts';
import type { Kafka, OutgoingRecord, Written } from '../../../shared/kafka/interfaces.ts';
import { schemaTopic } from '../../../shared/kafka/topic-names.ts';
import { tableKey } from '../../../shared/postgres/identifiers.ts';
import type { Task } from '../../../shared/task/task.ts';
import type { ManifestWriter } from '../publish/manifest-writer.ts';
import { listedEnds, segmentOf } from '../publish/segments.ts';
import type { Keeper } from '../snapshot/keeper.ts';
import { readSchemaObjects } from './schema-reader.ts';

export interface PublishSchemaOptions {
  readonly task: Task;
  /** The objects are read under its snapshot. */
  readonly keeper: Keeper;
  readonly manifest: ManifestWriter;
  readonly kafka: Kafka;
}

/** Bytes of one send: below the smallest largest record batch that a topic can be set to. */
const SEND_BYTES = 512 * 1024;

/**
 * Reads the schema objects of the task and publishes them; they count with the manifest's schema record.
 * @throws SluiceError POSTGRES_*, KAFKA_*, EPOCH_LOST
 */
export async function publishSchema({ task, keeper, manifest, kafka }: PublishSchemaOptions): Promise<void> {
  const read = await keeper.read((client) => readSchemaObjects(client, task));
  const objects = withoutOurChanges(read, manifest);
  const producer = await kafka.producer();
  try {
    const segments: Written[] = [];
    for (const records of sends(objects, task, manifest)) {
      segments.push(...(await producer.send(records, listedEnds(manifest.state))));
    }
    await manifest.append({
      kind: 'schema',
      objects: objects.length,
      segments: segments.map(segmentOf),
    });
  } finally {
    await producer.close();
  }
}

/** Replica identities that Sluice itself set for the time of the task are not the source's own; nothing needs one. */
function withoutOurChanges(objects: readonly SchemaObject[], manifest: ManifestWriter): SchemaObject[] {
  const ours = new Set((manifest.state.epoch?.replicaIdentities ?? []).map(tableKey));
  const kept = objects.filter(
    ({ kind, table }) => kind !== 'replica identity' || table === null || !ours.has(tableKey(table)),
  );
  const places = new Map(kept.map(({ number }, place) => [number, place]));
  return kept.map((object, number) => ({
    ...object,
    number,
    needs: (object.needs ?? []).flatMap((need) => places.get(need) ?? []),
  }));
}

function* sends(
  objects: readonly SchemaObject[],
  task: Task,
  { incarnation, epoch }: ManifestWriter,
): Generator<OutgoingRecord[]> {
  const topic = schemaTopic(task.name);
  let records: OutgoingRecord[] = [];
  let bytes = 0;
  for (const object of objects) {
    const value = encodeSchemaObject({ ...object, incarnation, epoch });
    if (records.length > 0 && bytes + value.length > SEND_BYTES) {
      yield records;
      records = [];
      bytes = 0;
    }
    records.push({ topic, partition: 0, key: null, value });
    bytes += value.length;
  }
  if (records.length > 0) yield records;
}
