import type pg from 'pg';
import { isSluiceError, SluiceError } from '../../../shared/errors.ts';
import type { Kafka } from '../../../shared/kafka/interfaces.ts';
import { openKafka } from '../../../shared/kafka/kafka.ts';
import { connect, type PostgresEndpoint } from '../../../shared/postgres/connection.ts';
import { postgresFailure, sqlstate } from '../../../shared/postgres/failure.ts';
import type { Task } from '../../../shared/task/task.ts';
import type { HeldService } from '../processes/service-process.ts';
import { describeSource } from '../schema/describe-source.ts';
import { type Finding, finding, type PrecheckContext, type RunnablePrecheck } from './finding.ts';
import { prechecks } from './prechecks.ts';
import { readSourceTables } from './source-tables.ts';

export interface PrecheckReport {
  readonly findings: readonly Finding[];
  /** Names of the checks that ran. */
  readonly ran: readonly string[];
}

export interface PrecheckOptions {
  readonly task: Task;
  /** Of the same task: it describes the source's schema. */
  readonly capture: HeldService;
}

/**
 * Looks at both ends, Kafka and the registry, and changes nothing.
 * An end that cannot be reached is a finding with the error's own code; then nothing else is looked at.
 */
export async function runPrechecks({ task, capture }: PrecheckOptions): Promise<PrecheckReport> {
  const findings: Finding[] = [];
  const reach = async <T>(name: string, open: () => Promise<T>): Promise<T | null> => {
    const opened = await attempt(name, open);
    if ('failed' in opened) findings.push(opened.failed);
    return 'failed' in opened ? null : opened.value;
  };
  const [source, destination, kafka, described] = await Promise.all([
    reach('source is reachable', () => open(task.source.endpoint, 'source')),
    reach('destination is reachable', () => open(task.destination, 'destination')),
    reach('Kafka is reachable', () => reachKafka(task)),
    describeFor(task, capture),
  ]);
  try {
    if (!source || !destination || !kafka) return { findings, ran: ['connections'] };
    if ('failed' in described) return { findings: [...findings, described.failed], ran: ['connections'] };
    const objects = described.value;
    const context = { task, source, destination, kafka, objects, ...(await readSourceTables(source, task)) };
    const found: Finding[] = [];
    for (const check of prechecks) found.push(...(await runOne(check, context)));
    return { findings: found, ran: prechecks.map(({ name }) => name) };
  } finally {
    await Promise.allSettled([source?.end(), destination?.end()]);
  }
}

async function describeFor(task: Task, capture: HeldService) {
  return await attempt('schema of the source', async () =>
    task.types.has('schema') ? await describeSource(capture) : [],
  );
}

/**
 * The findings of severity error as one error: its own code when there is one, else PRECHECK_FAILED naming all.
 * @throws SluiceError
 */
export function refuseOnErrors({ findings }: PrecheckReport): void {
  const errors = findings.filter(({ severity }) => severity === 'error');
  const [only] = errors;
  if (!only) return;
  if (errors.length === 1) throw new SluiceError(only.code, only.message, { remedy: only.remedy });
  const list = errors.map(({ code, message, remedy }) => `\n  ${code}: ${message}\n    remedy: ${remedy}`).join('');
  throw new SluiceError('PRECHECK_FAILED', `${errors.length} findings${list}`);
}

async function runOne(check: RunnablePrecheck, context: PrecheckContext): Promise<Finding[]> {
  const ran = await attempt(check.name, () => check.run(context));
  return 'failed' in ran ? [ran.failed] : ran.value;
}

async function attempt<T>(name: string, act: () => Promise<T>): Promise<{ value: T } | { failed: Finding }> {
  try {
    return { value: await act() };
  } catch (error) {
    if (!isSluiceError(error) && sqlstate(error) === undefined) throw error;
    const { code, message, remedy } = postgresFailure(error, { check: name });
    return { failed: finding(name, { code, message, remedy }) };
  }
}

function open(endpoint: PostgresEndpoint, end: 'source' | 'destination'): Promise<pg.Client> {
  return connect(endpoint, { applicationName: 'sluice precheck', end });
}

async function reachKafka(task: Task): Promise<Kafka> {
  const kafka = openKafka(task.kafka, `sluice-precheck-${task.name}`);
  const admin = await kafka.admin();
  try {
    await admin.clusterId();
    return kafka;
  } finally {
    await admin.close();
  }
}
