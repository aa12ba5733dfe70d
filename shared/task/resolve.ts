import { availableParallelism, userInfo } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { addressesOf, type PostgresEndpoint } from '../postgres/connection.ts';
import type { TlsSettings } from '../postgres/tls.ts';
import { type MigrationType, type TaskDefinition, taskDefinition } from './definition.ts';
import { Issues } from './issues.ts';
import { resolveKafka } from './kafka-settings.ts';
import { defaultTaskName } from './name.ts';
import { type PostgresUrl, parsePostgresUrl } from './postgres-url.ts';
import { type Environment, FileReader } from './references.ts';
import type { NameFilter, SchemaOptions, Task } from './task.ts';
import { resolveTuning } from './tuning.ts';

type EndpointDefinition = TaskDefinition['destination'];

/**
 * Makes a Task of a definition: checks it, takes URLs apart, reads secrets, certificates and keys, fills in defaults.
 * Paths are relative to the working directory. Of the environment only what the definition references is read,
 * and SLUICE_TUNING.
 * @throws SluiceError CONFIG_INVALID naming everything that is wrong, each with its path.
 */
export async function resolveTask(definition: unknown, env: Environment): Promise<Task> {
  const issues = new Issues();
  const checked = checkDefinition(definition);
  const reader = new FileReader(issues, env);
  const source = await resolveEndpoint('source', checked.source, reader);
  const destination = await resolveEndpoint('destination', checked.destination, reader);
  const kafka = await resolveKafka(checked.kafka, reader);
  if (source && destination) checkEnds(source, destination, issues);
  checkTypes(checked.types, issues);
  const tuning = resolveTuning(checked.tuning, env, issues);
  issues.throwIfAny();
  if (!source || !destination || !kafka) throw new TypeError('an unresolved part without an issue');
  return deepFreeze({
    name: checked.name ?? defaultTaskName(source, destination),
    source: {
      endpoint: source,
      replicaIdentity: checked.source.replicaIdentity,
      slotTimeoutSeconds: checked.source.slotTimeoutSeconds,
      failoverSlot: checked.source.failoverSlot,
    },
    destination,
    sink: {
      name: checked.sink?.name ?? 'main',
      tables: checked.sink?.tables ? nameFilter(checked.sink.tables) : null,
      conflicts: checked.sink?.conflicts ?? 'overwrite',
    },
    types: new Set(checked.types),
    existing: checked.existing,
    selection: { schemas: nameFilter(checked.schemas), tables: nameFilter(checked.tables) },
    schema: checked.schema ?? noSchemaOptions(),
    kafka,
    snapshotParallelism: checked.parallelism?.snapshot ?? defaultParallelism(),
    loadParallelism: checked.parallelism?.load ?? defaultParallelism(),
    tuning,
  });
}

/** More sessions than cores move no more rows, and take the cores from whoever streams beside them. */
export function defaultParallelism(): number {
  return Math.min(4, Math.max(2, availableParallelism()));
}

/** @throws SluiceError CONFIG_INVALID */
export function checkDefinition(definition: unknown): TaskDefinition {
  const parsed = taskDefinition.safeParse(definition, { reportInput: true });
  if (parsed.success) return parsed.data;
  const issues = new Issues();
  issues.addZod(parsed.error);
  issues.throwIfAny();
  throw parsed.error;
}

async function resolveEndpoint(
  path: 'source' | 'destination',
  definition: EndpointDefinition,
  reader: FileReader,
): Promise<PostgresEndpoint | undefined> {
  const url = readUrl(`${path}.url`, definition.url, reader.issues);
  const password = await reader.secret(`${path}.password`, definition.password);
  if (!url) return undefined;
  if (url.password !== undefined && definition.password) {
    reader.issues.add(`${path}.password`, 'the URL holds a password too: give it once');
  }
  const tls = await resolveTls(path, url, definition.tls, reader);
  const { database, target } = url;
  const [first, ...further] = url.addresses;
  const account = { user: url.user ?? userInfo().username, password: url.password ?? password };
  const elsewhere = { ...(further.length > 0 && { further }), ...(target && { target }) };
  return { ...first, ...elsewhere, database, ...account, tls };
}

function readUrl(path: string, text: string, issues: Issues): PostgresUrl | undefined {
  try {
    return parsePostgresUrl(text);
  } catch (error) {
    issues.add(path, (error as Error).message);
    return undefined;
  }
}

/** The URL and `tls` may each name a setting, both only when they agree. */
async function resolveTls(
  end: string,
  url: PostgresUrl,
  given: EndpointDefinition['tls'],
  reader: FileReader,
): Promise<TlsSettings> {
  const path = `${end}.tls`;
  const one = <T>(name: string, ofUrl: T | undefined, ofTls: T | undefined): T | undefined => {
    const differ = ofUrl !== undefined && ofTls !== undefined && ofUrl !== ofTls;
    if (differ) reader.issues.add(`${path}.${name}`, 'contradicts the URL');
    return ofTls ?? ofUrl;
  };
  const root = one('ca', url.rootCertificate, given?.ca);
  const mode = one('mode', url.sslMode, given?.mode) ?? (root === 'system' ? 'verify-full' : 'prefer');
  const ca = root === 'system' ? undefined : await reader.text(`${path}.ca`, root);
  const certificate = await reader.text(`${path}.certificate`, one('certificate', url.certificate, given?.certificate));
  const key = await reader.text(`${path}.key`, one('key', url.key, given?.key));
  const keyPassword = (await reader.secret(`${path}.keyPassword`, given?.keyPassword)) ?? url.keyPassword;
  checkTls(path, { mode, ca: root, certificate, key }, reader.issues);
  return { mode, ca, certificate, key, keyPassword };
}

function checkTls(path: string, tls: TlsSettings, issues: Issues): void {
  if ((tls.certificate === undefined) !== (tls.key === undefined)) {
    issues.add(path, 'a client certificate and its key belong together: give both');
  }
  if (tls.mode === 'disable' && (tls.ca ?? tls.certificate ?? tls.key) !== undefined) {
    issues.add(path, 'mode disable contradicts the certificates');
  }
}

function checkEnds(source: PostgresEndpoint, destination: PostgresEndpoint, issues: Issues): void {
  const shared = addressesOf(source).some((from) => addressesOf(destination).some((to) => isDeepStrictEqual(from, to)));
  if (shared && source.database === destination.database) {
    issues.add('destination.url', 'source and destination are the same database');
  }
}

function checkTypes(types: readonly MigrationType[], issues: Issues): void {
  if (new Set(types).size !== types.length) issues.add('types', 'a type stands twice');
  if (types.includes('schema') && types.includes('incremental') && !types.includes('full')) {
    issues.add('types', 'changes of rows that were never copied: schema and incremental need full');
  }
}

function noSchemaOptions(): SchemaOptions {
  return { owners: false, grants: false, roleMap: {}, eventTriggers: false, foreignServers: false };
}

function nameFilter(selection: TaskDefinition['tables']): NameFilter {
  return { include: selection?.include ?? [], exclude: selection?.exclude ?? [] };
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) if (typeof part === 'object' && part !== null) deepFreeze(part);
  return Object.freeze(value);
}
