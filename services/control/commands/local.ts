import { localDown, localStatus, localUp } from '../../../deploy/local/stack.ts';
import type { TaskArguments } from '../../../shared/task/arguments.ts';
import { note, writeJson, writeLine } from '../output.ts';

export async function up(options: TaskArguments): Promise<number> {
  const databases = options.databases === true ? (['source', 'destination'] as const) : [];
  const stack = await localUp({
    databases,
    onProgress: (part, address) => note(address === undefined ? `starting ${part}` : `${part} runs at ${address}`),
  });
  if (options.json === true) writeJson(stack);
  else for (const [part, address] of Object.entries(stack)) writeLine(`${part.padEnd(12)}${String(address)}`);
  return 0;
}

export async function down(options: TaskArguments): Promise<number> {
  await localDown({ remove: options.remove === true });
  return options.json === true ? print({ stopped: true }) : 0;
}

export async function status(options: TaskArguments): Promise<number> {
  const parts = await localStatus();
  const running = parts.filter((part) => part.running);
  if (options.json === true)
    return print(parts.map(({ part, running: runs, address, log }) => ({ part, running: runs, address, log })));
  for (const part of parts) {
    writeLine(`${part.part.padEnd(12)}${part.running ? 'runs   ' : 'stopped'}  ${part.address}  log ${part.log}`);
  }
  if (running.length === 0) writeLine('nothing runs; sluice local up starts Kafka and the schema registry');
  return 0;
}

function print(value: unknown): number {
  writeJson(value);
  return 0;
}
