import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import {
  addTaskOptions,
  parseTaskArguments,
  readDefinition,
  type TaskArguments,
  taskArgumentList,
} from '../../shared/task/arguments.ts';

const ends = ['--source', 'postgresql://u@s/a', '--destination', 'postgresql://u@d/b'];
const kafka = ['--brokers', 'k1:9092,k2:9092', '--registry', 'http://r:8081'];

async function taskFile(text: string): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), 'sluice-task-')), 'task.yaml');
  await writeFile(path, text);
  return path;
}

describe('parseTaskArguments', () => {
  it('makes a task of options alone', async () => {
    const { task, flags } = await parseTaskArguments(
      [
        ...ends,
        ...kafka,
        '--include-table',
        'public.a,public.b',
        '--include-table',
        'x."a,b"'.replace(',', '\\,'),
        '--take-over',
      ],
      ['take-over'],
      {},
    );
    expect(task.kafka.brokers).toEqual(['k1:9092', 'k2:9092']);
    expect(task.selection.tables.include).toEqual(['public.a', 'public.b', 'x."a,b"']);
    expect([...flags]).toEqual(['take-over']);
  });

  it('lays options over a task file, and refuses those that contradict it', async () => {
    const path = await taskFile('source: { url: "postgresql://u@s/a" }\ntypes: [full]\n');
    const rest = ['--task-file', path, '--destination', 'postgresql://u@d/b', ...kafka];
    const { task } = await parseTaskArguments([...rest, '--types', 'full'], [], {});
    expect([...task.types]).toEqual(['full']);
    await expect(parseTaskArguments([...rest, '--types', 'schema'], [], {})).rejects.toThrow(
      'types: --types contradicts the task file',
    );
  });

  it.each([
    [['--source', 'postgresql://u@s/a'], '--destination or --task-file is needed'],
    [[...ends, ...kafka, '--nonsense'], "unknown option '--nonsense'"],
    [[...ends, ...kafka, '--take-over'], "unknown option '--take-over'"],
    [[...ends, ...kafka, 'word'], 'unexpected argument word'],
    [[...ends, '--brokers', 'k:1'], 'kafka.registry'],
    [[...ends, ...kafka, '--types', 'everything'], 'types[0]'],
    [['--task-file', '/nowhere/task.yaml'], 'cannot be read (ENOENT)'],
  ])('refuses %j', async (argv, expected) => {
    await expect(parseTaskArguments(argv, [], {})).rejects.toThrow(expected);
  });

  it('refuses YAML with a doubled key, naming the line', async () => {
    const path = await taskFile('name: a\nname: b\n');
    await expect(parseTaskArguments(['--task-file', path], [], {})).rejects.toThrow(/line 2/);
  });

  it('gives a child process the same task', async () => {
    const argv = [...ends, ...kafka, '--include-table', 'a.b,c."d\\,e",f."g\\h\\\\\\,i\\"', '--name', 'shop'];
    const given: TaskArguments = addTaskOptions(new Command()).parse(argv, { from: 'user' }).opts();
    const again: TaskArguments = addTaskOptions(new Command()).parse(taskArgumentList(given), { from: 'user' }).opts();
    expect(await readDefinition(again)).toEqual(await readDefinition(given));
    expect(given['includeTable']).toEqual(['a.b', 'c."d,e"', 'f."g\\h\\,i\\"']);
  });
});
