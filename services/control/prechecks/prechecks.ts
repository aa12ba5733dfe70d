import * as destination from './destination.ts';
import type { RunnablePrecheck } from './finding.ts';
import { topicSettings } from './kafka.ts';
import { keptTables } from './kept-tables.ts';
import { registryAnswers } from './registry.ts';
import * as objects from './schema-objects.ts';
import { sourceFailover } from './source-failover.ts';
import * as server from './source-server.ts';
import * as tables from './source-tables.ts';

/** Everything that is looked at before a task starts, in this order. None of it changes anything. */
export const prechecks: readonly RunnablePrecheck[] = [
  server.sourceVersion,
  server.sourceTruncates,
  server.sourceIsPrimary,
  server.sourceWalLevel,
  server.sourceReplicationRight,
  server.sourceCapacity,
  server.sourceEncoding,
  server.sourceSlotLimits,
  server.sourceLongTransactions,
  sourceFailover,
  tables.selectionMatches,
  tables.tablesReadable,
  tables.publicationRight,
  tables.replicaIdentities,
  tables.tablesLeftOut,
  destination.destinationVersion,
  destination.destinationServer,
  destination.destinationCollation,
  destination.destinationUnused,
  destination.destinationTables,
  destination.destinationEmpty,
  keptTables,
  objects.objectsFree,
  objects.tablesKept,
  objects.objectsLeftOut,
  objects.destinationFiles,
  destination.replicaRole,
  topicSettings,
  registryAnswers,
];
