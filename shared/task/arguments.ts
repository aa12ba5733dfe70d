import { isDeepStrictEqual } from 'node:util';
import { Command, CommanderError, Option } from 'commander';
import { SluiceError } from '../errors.ts';
import { readDefinitionFile } from './definition-file.ts';
import { Issues, pathText } from './issues.ts';
import type { Environment } from './references.ts';
import { resolveTask } from './resolve.ts';
import { schemaOnly } from './schema-only.ts';
import type { Task } from './task.ts';

/**
 * The command-line form of a task definition: what `sluice migrate`, `capture`, `sink`, `status` ... and the
 * services' own mains have in common. Each option sets one setting of the definition.
 */
interface TaskOption {
  readonly flags: string;
  readonly help: string;
  readonly path: readonly string[];
  readonly list?: true;
}

const taskOptions: readonly TaskOption[] = [
  { flags: '--name <name>', help: 'name of the task (default: made from the two databases)', path: ['name'] },
  { flags: '--source <url>', help: 'source: postgresql://user@host:port/database', path: ['source', 'url'] },
  { flags: '--destination <url>', help: 'destination, likewise', path: ['destination', 'url'] },
  { flags: '--types <list>', help: 'of schema, full, incremental (default: all)', path: ['types'], list: true },
  {
    flags: '--include-schema <list>',
    help: 'schemas to migrate (default: all)',
    path: ['schemas', 'include'],
    list: true,
  },
  { flags: '--exclude-schema <list>', help: 'schemas to leave out', path: ['schemas', 'exclude'], list: true },
  {
    flags: '--include-table <list>',
    help: 'tables to migrate, as schema.table',
    path: ['tables', 'include'],
    list: true,
  },
  { flags: '--exclude-table <list>', help: 'tables to leave out', path: ['tables', 'exclude'], list: true },
  { flags: '--existing <how>', help: 'objects that exist: precheck (default) or ignore', path: ['existing'] },
  { flags: '--replica-identity <how>', help: 'keep (default) or full', path: ['source', 'replicaIdentity'] },
  { flags: '--sink-name <name>', help: 'name of this destination (default: main)', path: ['sink', 'name'] },
  { flags: '--conflicts <policy>', help: 'overwrite (default), stop or ignore', path: ['sink', 'conflicts'] },
  { flags: '--brokers <list>', help: 'Kafka brokers, as host:port', path: ['kafka', 'brokers'], list: true },
  { flags: '--registry <url>', help: 'schema registry (Confluent API)', path: ['kafka', 'registry', 'url'] },
];

/** Not for users, who say `sluice schema`. */
const SCHEMA_ONLY_FLAG = '--schema-only';

export const TASK_FILE_FLAGS = '--task-file <path>';

/** For the documentation: each option, and the setting that it sets. */
export function describeTaskOptions(): { readonly flags: string; readonly help: string; readonly path: string }[] {
  return taskOptions.map(({ flags, help, path }) => ({ flags, help, path: path.join('.') }));
}

/** What commander gives for the options above, by their camel-case names. */
export type TaskArguments = Readonly<Record<string, unknown>> & { readonly taskFile?: string };

/** Adds the options that describe a task to a command. */
export function addTaskOptions(command: Command): Command {
  command.option(TASK_FILE_FLAGS, 'task definition, YAML or JSON (docs/configuration.md)');
  for (const { flags, help, list } of taskOptions) {
    const option = new Option(flags, list ? `${help}; repeated or with commas` : help);
    command.addOption(list ? option.argParser(collect) : option);
  }
  return command.addOption(new Option(SCHEMA_ONLY_FLAG).hideHelp());
}

/**
 * The definition, unchecked: the file, with the options laid over it.
 * @throws SluiceError CONFIG_INVALID when an option contradicts the file, or there is neither.
 */
export async function readDefinition(given: TaskArguments): Promise<Record<string, unknown>> {
  const definition = given.taskFile === undefined ? {} : await readDefinitionFile(given.taskFile);
  const issues = new Issues();
  for (const option of taskOptions) {
    const value = given[optionName(option)];
    if (value !== undefined) lay(definition, option, value, issues);
  }
  if (given.taskFile === undefined) {
    for (const end of ['source', 'destination']) {
      if (given[end] === undefined) issues.add('', `--${end} or --task-file is needed`);
    }
  }
  issues.throwIfAny();
  return definition;
}

/**
 * The task that the options describe; `definition` is theirs, perhaps with defaults filled in.
 * @throws SluiceError CONFIG_INVALID
 */
export async function taskOf(
  given: TaskArguments,
  definition: Record<string, unknown>,
  env: Environment = process.env,
): Promise<Task> {
  const task = await resolveTask(definition, env);
  return given['schemaOnly'] === true ? schemaOnly(task, given['name'] !== undefined) : task;
}

/** The same options as arguments of a child process. */
export function taskArgumentList(given: TaskArguments): string[] {
  const list = given.taskFile === undefined ? [] : ['--task-file', given.taskFile];
  if (given['schemaOnly'] === true) list.push(SCHEMA_ONLY_FLAG);
  for (const option of taskOptions) {
    const value = given[optionName(option)];
    const values = Array.isArray(value) ? value.map(String) : value === undefined ? [] : [String(value)];
    for (const one of values) list.push(`--${flagName(option)}=${option.list ? one.replace(/[\\,]/g, '\\$&') : one}`);
  }
  return list;
}

export interface ParsedTask {
  readonly task: Task;
  /** Those of `flags` that were given. */
  readonly flags: ReadonlySet<string>;
}

/**
 * For the services' mains: `argv` without node and script. `flags` are further switches, as `take-over`.
 * @throws SluiceError CONFIG_INVALID
 */
export async function parseTaskArguments(
  argv: readonly string[],
  flags: readonly string[] = [],
  env: Environment = process.env,
): Promise<ParsedTask> {
  const command = addTaskOptions(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  command.helpOption(false).allowExcessArguments();
  for (const flag of flags) command.option(`--${flag}`);
  parse(command, argv);
  const given: TaskArguments = command.opts();
  const task = await taskOf(given, await readDefinition(given), env);
  return { task, flags: new Set(flags.filter((flag) => given[camelCase(flag)] === true)) };
}

function parse(command: Command, argv: readonly string[]): void {
  try {
    command.parse(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    throw new SluiceError('CONFIG_INVALID', error.message.replace(/^error: /, ''), { cause: error });
  }
  if (command.args.length > 0) throw new SluiceError('CONFIG_INVALID', `unexpected argument ${command.args[0]}`);
}

function lay(definition: Record<string, unknown>, option: TaskOption, value: unknown, issues: Issues): void {
  const parents = option.path.slice(0, -1);
  const last = option.path.at(-1) as string;
  let place = definition;
  for (const part of parents) {
    const inner = place[part] ?? {};
    if (typeof inner !== 'object' || Array.isArray(inner)) return;
    place[part] = inner;
    place = inner as Record<string, unknown>;
  }
  if (place[last] !== undefined && !isDeepStrictEqual(place[last], value)) {
    issues.add(pathText(option.path), `--${flagName(option)} contradicts the task file`);
    return;
  }
  place[last] = value;
}

/** `a,b` and repeated options alike; `\,` is a comma of a name, `\\` a backslash, which any other character leaves alone. */
function collect(text: string, earlier: readonly string[] | undefined): string[] {
  const parts = text.match(/(?:\\[\\,]|[^,])+/g) ?? [];
  return [
    ...(earlier ?? []),
    ...parts.map((part) => part.replace(/\\([\\,])/g, '$1').trim()).filter((part) => part !== ''),
  ];
}

function flagName(option: TaskOption): string {
  return option.flags.slice(2, option.flags.indexOf(' '));
}

function optionName(option: TaskOption): string {
  return camelCase(flagName(option));
}

function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
