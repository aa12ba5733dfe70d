import type pg from 'pg';
import type { SchemaObject } from '../../../shared/envelope/schema-object.ts';
import { serverVersion } from '../../../shared/postgres/server-version.ts';
import type { SchemaOptions, Selection } from '../../../shared/task/task.ts';
import { readAggregates } from './aggregates.ts';
import { arrange } from './arrangement.ts';
import { readBaseTypes } from './base-types.ts';
import { readCasts, readTransforms } from './casts.ts';
import { readCatalogEntries } from './catalog-entries.ts';
import { type Choice, chooseObjects } from './choice.ts';
import { readCollations } from './collations.ts';
import { readComments } from './comments.ts';
import { readCompositeTypes } from './composite-types.ts';
import { readForeignKeys, readIndexConstraints, readUnvalidatedConstraints, readValidations } from './constraints.ts';
import { readConversions } from './conversions.ts';
import type { Catalog, DescribedObject, KindReader } from './described-object.ts';
import { readDomains } from './domains.ts';
import { readEnums } from './enums.ts';
import { readEventTriggers } from './event-triggers.ts';
import { readExtensions } from './extensions.ts';
import { readForeignServers } from './foreign-servers.ts';
import { describeGrants, readDefaultPrivileges } from './grants.ts';
import { type Identity, readIdentities } from './identities.ts';
import { readClusteredIndexes, readIndexAttachments, readIndexes, readReplicaIdentities } from './indexes.ts';
import { readAccessMethods, readLanguages } from './languages.ts';
import { readNeverCarried } from './never-carried.ts';
import { ObjectGraph } from './object-graph.ts';
import { readOperatorClasses, readOperatorFamilies } from './operator-classes.ts';
import { readOperators } from './operators.ts';
import { describeExtensionDependents, describeOwners } from './owners.ts';
import { readPartitions } from './partitions.ts';
import { readPolicies } from './policies.ts';
import { readRangeTypes } from './range-types.ts';
import { orderRefreshes } from './refresh-order.ts';
import { readRoutines } from './routines.ts';
import { readSchemas } from './schemas.ts';
import { readSequences } from './sequences.ts';
import { readStatistics } from './statistics.ts';
import { readTables } from './tables.ts';
import { readTextSearch } from './text-search.ts';
import { readPartitionTriggerStates, readRules, readTriggers } from './triggers.ts';
import { readViews } from './views.ts';

/** In the order of creation where nothing else decides it. */
const readers: readonly KindReader[] = [
  readSchemas,
  readExtensions,
  readLanguages,
  readCollations,
  readEnums,
  readCompositeTypes,
  readBaseTypes,
  readRangeTypes,
  readDomains,
  readRoutines,
  readAggregates,
  readOperators,
  readAccessMethods,
  readOperatorFamilies,
  readOperatorClasses,
  readCasts,
  readTransforms,
  readConversions,
  readTextSearch,
  readForeignServers,
  readSequences,
  readTables,
  readPartitions,
  readViews,
  readIndexConstraints,
  readIndexes,
  readIndexAttachments,
  readUnvalidatedConstraints,
  readValidations,
  readClusteredIndexes,
  readReplicaIdentities,
  readStatistics,
  readRules,
  readTriggers,
  readPartitionTriggerStates,
  readPolicies,
  readForeignKeys,
  readEventTriggers,
  readDefaultPrivileges,
  readNeverCarried,
];

export interface ReadOptions {
  readonly selection: Selection;
  readonly schema: SchemaOptions;
}

/**
 * Reads the schema objects of a task as the client's snapshot sees them, in the order of creation, section by section;
 * what is left out stands at the end, without SQL.
 */
export async function readSchemaObjects(client: pg.ClientBase, options: ReadOptions): Promise<SchemaObject[]> {
  const { choice, graph } = await readChoice(client, options);
  const arranged = arrange(graph);
  const identities = await readIdentities(
    client,
    arranged.map(({ object }) => object.key),
  );
  const leftOut = choice.leftOut.map(({ object, reason }) => ({
    ...schemaObject(object, identities),
    sql: '',
    leftOut: reason,
  }));
  return [
    ...arranged.map(({ object, section, needs }) => ({
      ...schemaObject(object, identities),
      section,
      needs: [...needs],
    })),
    ...leftOut,
  ].map((object, number) => ({ number, ...object }));
}

/** What was selected and cannot be carried, and why: findings before the start. */
export async function readLeftOut(client: pg.ClientBase, options: ReadOptions): Promise<Choice['leftOut']> {
  return (await readChoice(client, options)).choice.leftOut;
}

async function readChoice(client: pg.ClientBase, { selection, schema }: ReadOptions) {
  const version = await serverVersion(client);
  const catalog: Catalog = { client, version, options: schema };
  const entries = await readCatalogEntries(client, version);
  const objects: DescribedObject[] = [];
  for (const read of readers) objects.push(...(await read(catalog)));
  objects.push(...(await describeOwners(catalog, objects)));
  objects.push(...(await describeGrants(catalog, objects)));
  objects.push(...(await describeExtensionDependents(catalog, objects)));
  objects.push(...(await readComments(catalog, objects, entries)));
  const placed = withSchemas(orderRefreshes(objects, entries));
  const choice = chooseObjects(placed, new ObjectGraph(placed, entries), selection);
  return { choice, graph: new ObjectGraph(choice.carried, entries) };
}

/** An object needs its schema, also where the server does not say so: `public` is pinned. */
function withSchemas(objects: readonly DescribedObject[]): DescribedObject[] {
  const keys = new Map(objects.filter(({ kind }) => kind === 'schema').map(({ name, key }) => [name, key]));
  return objects.map((object) => {
    const schema = keys.get(object.schema);
    return schema === undefined ? object : { ...object, needs: [...(object.needs ?? []), schema] };
  });
}

function schemaObject(
  object: DescribedObject,
  identities: ReadonlyMap<string, Identity>,
): Omit<SchemaObject, 'number'> {
  const { key, section, kind, schema, name, table, columns = null, sql } = object;
  const identity = identities.get(key) ?? null;
  return { section, kind, schema, name, table, columns, sql, needs: [], identity, leftOut: null };
}
