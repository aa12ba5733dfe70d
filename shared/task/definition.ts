import * as z from 'zod';
import { tlsModes } from '../postgres/tls.ts';

/**
 * The task definition as a user writes it (YAML or JSON); unknown keys are refused.
 * resolve.ts turns it into a Task: URLs taken apart, secrets and files read, defaults filled in.
 */

/** A secret by reference, so that it stands in no file of the task. */
export const secretReference = z
  .union([
    z.strictObject({ env: z.string().min(1).describe('name of an environment variable') }),
    z.strictObject({ file: z.string().min(1).describe('path of a file; a trailing newline is cut') }),
  ])
  .describe('a secret: { env: NAME } or { file: PATH }');

const tls = z.strictObject({
  mode: z.enum(tlsModes).optional().describe('as sslmode of libpq; default: from the URL, else prefer'),
  ca: z.string().optional().describe('path of the CA certificates (PEM)'),
  certificate: z.string().optional().describe('path of the client certificate (PEM)'),
  key: z.string().optional().describe('path of the client key (PEM)'),
  keyPassword: secretReference.optional().describe('password of the client key'),
});

const endpoint = {
  url: z
    .string()
    .min(1)
    .describe(
      'postgresql://user[:password]@host[:port][,host:port...]/database[?sslmode=...&target_session_attrs=read-write...]',
    ),
  password: secretReference.optional().describe('password, when it is not in the URL'),
  tls: tls.optional(),
};

const patterns = z
  .array(z.string().min(1))
  .describe('exact names or patterns with * ; tables as schema.table, parts quoted with " where they hold a dot');

const selection = z.strictObject({
  include: patterns.optional().describe('default: all'),
  exclude: patterns.optional().describe('default: none; wins over include'),
});

const kafkaTls = z.strictObject({
  ca: z.string().optional().describe('path of the CA certificates (PEM)'),
  certificate: z.string().optional().describe('path of the client certificate (PEM)'),
  key: z.string().optional().describe('path of the client key (PEM)'),
  keyPassword: secretReference.optional().describe('password of the client key'),
  rejectUnauthorized: z.boolean().default(true).describe('false accepts any certificate'),
});

const sasl = z.strictObject({
  mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).describe('how the account proves itself'),
  username: z.string().min(1).describe('account'),
  password: secretReference.describe('its password'),
});

const registry = z.strictObject({
  url: z.url().describe('base URL of the Confluent-compatible API'),
  username: z.string().optional().describe('for HTTP basic authentication; may stand in the URL instead'),
  password: secretReference.optional().describe('password of that user'),
  ca: z.string().optional().describe('path of the CA certificates (PEM)'),
});

const kafka = z.strictObject({
  brokers: z
    .array(z.string().regex(/^.+:\d+$/, 'host:port'))
    .min(1)
    .describe('host:port of some of the brokers'),
  registry,
  tls: kafkaTls.optional(),
  sasl: sasl.optional(),
  partitions: z.number().int().min(1).max(1000).default(1).describe('partitions of each table topic'),
  replicationFactor: z.number().int().min(1).optional().describe('default: min(3, brokers)'),
  maxMessageBytes: z
    .number()
    .int()
    .min(1_000_000)
    .max(500_000_000)
    .default(134_217_728)
    .describe(
      'max.message.bytes of the topics, in bytes; bounds the largest row: as COPY text, and as an event before compression',
    ),
});

export const migrationTypes = ['schema', 'full', 'incremental'] as const;
export type MigrationType = (typeof migrationTypes)[number];

export const existingModes = ['precheck', 'ignore'] as const;
export type ExistingMode = (typeof existingModes)[number];

export const conflictPolicies = ['overwrite', 'stop', 'ignore'] as const;
export type ConflictPolicy = (typeof conflictPolicies)[number];

export const tuningDefinition = z.strictObject({
  batchEvents: z
    .number()
    .int()
    .min(1)
    .max(1_000_000)
    .default(5_000)
    .describe(
      'events of a batch, at most, unless it is of very many tables; a larger source transaction is cut into parts',
    ),
  applyEvents: z
    .number()
    .int()
    .min(1)
    .max(1_000_000)
    .default(20_000)
    .describe('events that one destination transaction gathers, at most; a source transaction is never cut'),
  checkpointBytes: z
    .number()
    .int()
    .min(1)
    .max(1_000_000_000)
    .default(1_000_000)
    .describe(
      'bytes of manifest records between two checkpoints, from which services start; more where a checkpoint is above 100 kB',
    ),
  fold: z
    .boolean()
    .default(true)
    .describe('false applies each change by a statement of its own, in order: slow; for comparison and diagnosis'),
});

export const TASK_NAME = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/;
export const SINK_NAME = TASK_NAME;

const connections = z.number().int().min(1).max(64).optional();
const byCores = 'default: one for each core here, from 2 to 4';

export const taskDefinition = z.strictObject({
  name: z
    .string()
    .regex(TASK_NAME, 'lower-case letters, digits and -, at most 40')
    .optional()
    .describe('default: made from the two databases'),
  source: z.strictObject({
    ...endpoint,
    replicaIdentity: z
      .enum(['keep', 'full'])
      .default('keep')
      .describe('full: tables without a usable replica identity get REPLICA IDENTITY FULL; release puts it back'),
    slotTimeoutSeconds: z
      .number()
      .int()
      .min(1)
      .default(300)
      .describe('how long slot creation may wait for running transactions'),
    failoverSlot: z
      .boolean()
      .default(false)
      .describe('true (17+): the slot is synchronised to standbys, so that capture can go on after a promotion'),
  }),
  destination: z.strictObject(endpoint),
  types: z
    .array(z.enum(migrationTypes))
    .min(1)
    .default([...migrationTypes])
    .describe('migration types to run: schema, full, incremental'),
  existing: z
    .enum(existingModes)
    .default('precheck')
    .describe('objects that are at the destination already: precheck refuses them, ignore keeps them and their rows'),
  schemas: selection.optional().describe('schemas to migrate'),
  tables: selection.optional().describe('tables to migrate'),
  schema: z
    .strictObject({
      owners: z.boolean().default(false).describe('objects get the owners that they have at the source'),
      grants: z
        .boolean()
        .default(false)
        .describe('privileges on objects and columns, and default privileges, as at the source'),
      roleMap: z
        .record(z.string().min(1), z.string().min(1))
        .default({})
        .describe('role of the source: role of the destination, where the names differ'),
      eventTriggers: z.boolean().default(false).describe('carry event triggers'),
      foreignServers: z
        .boolean()
        .default(false)
        .describe('carry foreign data wrappers, servers, user mappings (without secrets) and foreign tables'),
    })
    .optional()
    .describe('what of the schema is carried only on demand'),
  sink: z
    .strictObject({
      name: z
        .string()
        .regex(SINK_NAME, 'lower-case letters, digits and -, at most 40')
        .default('main')
        .describe('tells the sinks of one capture apart'),
      tables: selection.optional().describe('the tables this sink takes, of those the capture publishes'),
      conflicts: z
        .enum(conflictPolicies)
        .default('overwrite')
        .describe(
          'a streamed insert meets an existing row, an update or delete meets none: overwrite the row and count the ' +
            'others, stop at any of them, or ignore them all; what is ignored or not met is counted',
        ),
    })
    .optional()
    .describe('this destination, beside other sinks of the same capture'),
  kafka: kafka.optional().describe('default: the local stack'),
  parallelism: z
    .strictObject({
      snapshot: connections.describe(`connections that read the source; ${byCores}`),
      load: connections.describe(`connections that load the destination; ${byCores}`),
    })
    .optional(),
  tuning: tuningDefinition.optional(),
});

export type TaskDefinition = z.output<typeof taskDefinition>;
export type TaskDefinitionInput = z.input<typeof taskDefinition>;
