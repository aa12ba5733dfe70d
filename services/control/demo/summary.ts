import type { LocalStack } from '../../../deploy/local/stack.ts';
import type { Task } from '../../../shared/task/task.ts';
import { bytesText, countText, durationText } from '../observe/units.ts';
import type { DemoResult } from './migrate-under-load.ts';

export function summaryText(
  filled: number,
  { comparison, cutover, progress, transactions, seconds }: DemoResult,
): string {
  const peak = progress?.peak;
  const lines: [string, string][] = [
    ['rows at the start', countText(filled)],
    ['written meanwhile', `${countText(transactions)} transactions`],
    ['changes applied', countText(progress?.changes.applied ?? 0)],
    ['duration', durationText(seconds)],
    ['peak lag', peak ? `${bytesText(peak.lagBytes)}, ${durationText(peak.lagSeconds)}` : '-'],
    [
      'comparison',
      `${countText(comparison.rows)} rows of ${comparison.tables.length} tables at ${comparison.lsn ?? '-'}`,
    ],
    ['result', comparison.equal ? 'equal' : 'DIFFERENT'],
    ['cutover', `${cutover.sequences.length} sequences set, ${cutover.objects.length} objects completed`],
  ];
  return ['', ...lines.map(([name, value]) => `  ${name.padEnd(18)} ${value}`), ''].join('\n');
}

export function keptText(
  task: Task,
  { source, destination, brokers, registry }: LocalStack,
  directory: string,
): string {
  const url = (server: string | undefined) => (server ?? '').replace(/\/postgres$/, `/${task.destination.database}`);
  return [
    'Everything keeps running:',
    `  psql ${url(source)}        (source)`,
    `  psql ${url(destination)}        (destination)`,
    `  Kafka ${brokers.join(',')}, schema registry ${registry}`,
    `  topics of the task: ${task.name}.*`,
    `  npx sluice status --name ${task.name} --source ${url(source)} \\`,
    `    --destination ${url(destination)} --brokers ${brokers.join(',')} --registry ${registry}`,
    `To stop it: SLUICE_LOCAL_DIR=${directory} npx sluice local down --remove`,
  ].join('\n');
}
