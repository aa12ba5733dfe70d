import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { SchemaObject } from '../../../shared/envelope/schema-object.ts';
import { SluiceError } from '../../../shared/errors.ts';
import type { FailedMessage } from '../../../shared/service/run.ts';
import { serviceEnvironment, spawnService } from '../processes/service-process.ts';
import { failure } from '../processes/supervise.ts';

/**
 * The schema objects of the source as it is now, in creation order. Capture alone knows the source's schema: it runs
 * as a process that describes it and ends.
 * @throws SluiceError what it reported: POSTGRES_*
 */
export async function describeSource(childArguments: readonly string[]): Promise<SchemaObject[]> {
  const env = { ...serviceEnvironment(), SLUICE_LOG: 'warn' };
  const child = spawnService('capture', [...childArguments, '--describe-schema'], env, 'pipe');
  const failures: FailedMessage[] = [];
  child.on('message', (message: FailedMessage) => failures.push(message));
  const errors: string[] = [];
  child.stderr?.setEncoding('utf8').on('data', (text: string) => errors.push(text));
  const ended = once(child, 'close') as Promise<[number | null]>;
  const objects: SchemaObject[] = [];
  if (child.stdout) for await (const line of createInterface({ input: child.stdout })) objects.push(JSON.parse(line));
  const [code] = await ended;
  if (failures[0]) throw failure(failures[0]);
  if (code !== 0) throw new SluiceError('INTERNAL', `the schema could not be described: ${errors.join('').trim()}`);
  return objects;
}
