import { SluiceError } from '../../../shared/errors.ts';
import { readDefinition, type TaskArguments, taskArgumentList, taskOf } from '../../../shared/task/arguments.ts';
import { checkDefinition, resolveTask } from '../../../shared/task/resolve.ts';
import type { Task } from '../../../shared/task/task.ts';
import { note } from '../output.ts';

export interface TaskContext {
  readonly task: Task;
  /** The same task as arguments of a child process, with the local stack's addresses where it is used. */
  readonly childArguments: readonly string[];
  /** The task uses the local stack. */
  readonly local: boolean;
}

/**
 * The task that the options describe. Without Kafka in the definition it is the local stack's, which is started
 * when `start` says so, and else must run.
 * @throws SluiceError CONFIG_INVALID, KAFKA_UNREACHABLE, LOCAL_STACK_FAILED
 */
export async function openTask(given: TaskArguments, start: boolean): Promise<TaskContext> {
  const definition = await readDefinition(given);
  if (definition.kafka !== undefined) {
    return { task: await taskOf(given, definition), childArguments: taskArgumentList(given), local: false };
  }
  // Everything else is checked before a server is started for it.
  await resolveTask({ ...checkDefinition(definition), kafka: placeholder }, process.env);
  const { brokers, registry } = start ? await startLocal() : await runningLocal();
  const task = await taskOf(given, { ...definition, kafka: { brokers, registry: { url: registry } } });
  const childArguments = [...taskArgumentList(given), `--brokers=${brokers.join(',')}`, `--registry=${registry}`];
  return { task, childArguments, local: true };
}

/**
 * Arguments of a child that needs the source alone: what the options do not say of Kafka and destination is filled in.
 * @throws SluiceError CONFIG_INVALID
 */
export async function sourceArguments(given: TaskArguments): Promise<string[]> {
  const nowhere = given.taskFile === undefined && given['destination'] === undefined ? { destination: NOWHERE } : {};
  const complete: TaskArguments = { ...given, ...nowhere };
  const definition = await readDefinition(complete);
  const kafka = definition.kafka === undefined ? placeholder : definition.kafka;
  await taskOf(complete, { ...definition, kafka });
  if (definition.kafka !== undefined) return taskArgumentList(complete);
  const { brokers, registry } = placeholder;
  return [...taskArgumentList(complete), `--brokers=${brokers.join(',')}`, `--registry=${registry.url}`];
}

const NOWHERE = 'postgresql://127.0.0.1:1/nowhere';
const placeholder = { brokers: ['127.0.0.1:1'], registry: { url: 'http://127.0.0.1:1' } };

interface LocalKafka {
  readonly brokers: string[];
  readonly registry: string;
}

/** Loaded by those tasks only that use it. */
const localStack = () => import('../../../deploy/local/stack.ts');

async function startLocal(): Promise<LocalKafka> {
  const onProgress = (part: string, address?: string) => {
    if (address !== undefined) note(`local ${part} runs at ${address}`);
  };
  const { localUp } = await localStack();
  const { brokers, registry } = await localUp({ onProgress });
  return { brokers: [...brokers], registry };
}

async function runningLocal(): Promise<LocalKafka> {
  const { localStatus } = await localStack();
  const parts = await localStatus();
  const address = (name: string) => parts.find(({ part, running }) => part === name && running)?.address;
  const kafka = address('kafka');
  const registry = address('registry');
  if (kafka !== undefined && registry !== undefined) return { brokers: kafka.split(','), registry };
  throw new SluiceError('KAFKA_UNREACHABLE', 'no brokers are given and the local stack does not run', {
    remedy: 'Start it with sluice local up (sluice migrate does so by itself), or give --brokers and --registry.',
  });
}
