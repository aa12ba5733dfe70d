import type pg from 'pg';
import { type SchemaObject, schemaSections } from '../../../shared/envelope/schema-object.ts';
import { serverVersion } from '../../../shared/postgres/server-version.ts';
import type { Selection } from '../../../shared/task/task.ts';
import { readCollations } from './collations.ts';
import { readComments } from './comments.ts';
import { readCompositeTypes } from './composite-types.ts';
import { readForeignKeys, readIndexConstraints, readUnvalidatedConstraints } from './constraints.ts';
import type { Catalog, CreatedObject, DescribedObject, KindReader } from './described-object.ts';
import { readDomains, readUnvalidatedDomainConstraints } from './domains.ts';
import { readEnums } from './enums.ts';
import { readClusteredIndexes, readIndexAttachments, readIndexes, readReplicaIdentities } from './indexes.ts';
import { readPartitions } from './partitions.ts';
import { readRangeTypes } from './range-types.ts';
import { readSchemas } from './schemas.ts';
import { readScope } from './scope.ts';
import { readSequenceOwnership, readSequences } from './sequences.ts';
import { readColumns } from './table-columns.ts';
import { readTableNames } from './table-names.ts';
import { readIdentityAlways, readTableSettings } from './table-settings.ts';
import { readInheritance, readTables } from './tables.ts';

/** Objects that need each other: created in the order of the scope, after the schemas. */
const created: readonly KindReader<CreatedObject>[] = [
  readCollations,
  readEnums,
  readCompositeTypes,
  readRangeTypes,
  readDomains,
  readSequences,
  readTables,
];

/** What is said of created objects afterwards, in this order within its section. */
const following: readonly KindReader[] = [
  readUnvalidatedDomainConstraints,
  readSequenceOwnership,
  readInheritance,
  readTableSettings,
  readPartitions,
  readIndexConstraints,
  readIndexes,
  readIndexAttachments,
  readUnvalidatedConstraints,
  readClusteredIndexes,
  readReplicaIdentities,
  readForeignKeys,
  readIdentityAlways,
  readComments,
];

/**
 * Reads the schema objects of a task as the client's snapshot sees them, in the order of creation, section by section.
 * Objects of one kind that stand next to each other in `post-data` need nothing of each other.
 */
export async function readSchemaObjects(client: pg.ClientBase, selection: Selection): Promise<SchemaObject[]> {
  const version = await serverVersion(client);
  const scope = await readScope(client, selection, version);
  const tables = await readTableNames(client, scope.tables);
  const columns = await readColumns(client, version, scope.tables);
  const catalog: Catalog = { client, version, scope, tables, columns };
  const objects: DescribedObject[] = await readSchemas(catalog);
  objects.push(...(await readCreated(catalog)));
  for (const read of following) objects.push(...(await read(catalog)));
  return schemaSections
    .flatMap((section) => objects.filter((object) => object.section === section))
    .map((object, number) => ({ number, ...object }));
}

async function readCreated(catalog: Catalog): Promise<DescribedObject[]> {
  const found = new Map<string, DescribedObject>();
  for (const read of created) for (const { node, ...object } of await read(catalog)) found.set(node, object);
  return catalog.scope.order.flatMap((node) => found.get(node) ?? []);
}
