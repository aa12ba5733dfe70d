import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { checkoutDir } from '../../../deploy/local/paths.ts';
import { eventually } from '../../support/eventually.ts';
import { Failpoints } from '../../support/failpoints.ts';
import { type SluiceProcess, startProcess } from '../../support/processes.ts';

const module = pathToFileURL(join(checkoutDir, 'shared', 'service', 'failpoint.ts')).href;
const program = `
  const { failpoint } = await import(${JSON.stringify(module)});
  for (let round = 1; round <= 3; round++) {
    process.stdout.write('round ' + round + '\\n');
    try {
      failpoint('test.point');
    } catch (error) {
      process.stdout.write(error.code + '\\n');
    }
  }
  process.stdout.write('done\\n');`;

function start(points: Failpoints): SluiceProcess {
  return startProcess(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], { env: points.env });
}

test('kill: the process dies by SIGKILL on that hit, and a restarted one gets past it', async () => {
  await using points = new Failpoints('test.point=kill@2');
  await using killed = start(points);
  expect(await killed.exit()).toEqual({ code: null, signal: 'SIGKILL' });
  expect(killed.stdout).toBe('round 1\nround 2\n');
  expect(points.acted('test.point')).toEqual({ name: 'test.point', hit: 2, pid: killed.pid, action: 'kill' });

  await using restarted = start(points);
  expect(await restarted.exit()).toEqual({ code: 0, signal: null });
  expect(points.hits('test.point').map(({ hit, action }) => [hit, action])).toEqual([
    [1, '-'],
    [2, 'kill'],
    [1, '-'],
    [2, '-'],
    [3, '-'],
  ]);
});

test('pause: the process stops there, and goes on when it is continued', async () => {
  await using points = new Failpoints('test.point=pause@1');
  await using paused = start(points);
  await eventually(() => points.acted('test.point') !== undefined);
  await expect(paused.exit(500)).rejects.toThrow('round 1');
  expect(paused.stdout).toBe('round 1\n');
  paused.signal('SIGCONT');
  expect(await paused.exit()).toEqual({ code: 0, signal: null });
  expect(paused.stdout).toContain('done');
});

test('error: the call throws the named error once', async () => {
  await using points = new Failpoints('test.point=error:KAFKA_PRODUCE_FAILED@3;other.point=kill');
  await using failing = start(points);
  expect(await failing.exit()).toEqual({ code: 0, signal: null });
  expect(failing.stdout).toBe('round 1\nround 2\nround 3\nKAFKA_PRODUCE_FAILED\ndone\n');
  expect(points.hits('other.point')).toEqual([]);
});

test('ending the scope of a stopped process ends its whole group', async () => {
  const parent = startProcess('bash', ['-c', 'sleep 1000 & echo started; kill -STOP $$; wait']);
  await parent.wrote(/started/);
  await parent[Symbol.asyncDispose]();
  await eventually(() => !parent.signalGroup('SIGCONT'));
});
