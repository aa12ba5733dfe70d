import type { TableStatus, TaskStatus } from './task-status.ts';
import { bytesText, countText, durationText } from './units.ts';

/** The status for people: what matters first, tables last. */
export function statusText(status: TaskStatus): string {
  const { positions, batches, transactions, lsn, slot, lag } = status;
  const lines = [
    `task         ${status.task} (sink ${status.sink}; ${status.types.join(', ')})`,
    `phase        ${status.phase}${status.detail === '' ? '' : `: ${status.detail}`}`,
    `lag          ${lag === null ? '-' : `${bytesText(lag.bytes)}, ${durationText(lag.seconds)}`}`,
    `positions    published ${positions.published}, applied ${positions.applied}`,
    `batches      published ${batches.published}, applied ${batches.applied}`,
    `transactions published ${transactions.published}, applied ${transactions.applied}`,
    `LSNs         source ${lsn.source ?? '-'}, published ${lsn.published ?? '-'}, applied ${lsn.applied ?? '-'}`,
    `slot         ${slot ? slotText(slot) : status.unavailable.some(({ what }) => what === 'source') ? 'not known' : 'none'}`,
  ];
  if (status.epoch)
    lines.push(`capture      epoch ${status.epoch.id}, since ${status.epoch.startedAt} on ${status.epoch.host}`);
  if (status.conflicts > 0n) lines.push(`conflicts    ${conflictsText(status)}`);
  for (const { section, done, total, missing } of status.sections) {
    const refused = missing === 0 ? '' : `, ${missing} failed or skipped (sluice status --objects)`;
    lines.push(`objects      ${section}: ${done} of ${total}${refused}`);
  }
  for (const object of status.running) lines.push(`creating     ${runningText(object)}`);
  for (const sentence of status.waitsFor) lines.push(`waits        ${sentence}`);
  for (const { what, message } of status.unavailable) lines.push(`unavailable  ${what}: ${message}`);
  for (const error of status.errors) {
    lines.push(
      `error        ${error.service}: ${error.code}: ${error.message}`,
      `             remedy: ${error.remedy}`,
    );
  }
  return [...lines, ...tableLines(status.tables)].join('\n');
}

function conflictsText({ conflicts, lastConflict }: TaskStatus): string {
  const changes = `${conflicts} changes met other rows than at the source`;
  if (!lastConflict) return changes;
  const { kind, schema, table, position, commitLsn } = lastConflict;
  return `${changes}, last ${kind} of ${schema}.${table}, position ${position}, commit LSN ${commitLsn}`;
}

export function runningText({ kind, schema, name, seconds }: TaskStatus['running'][number]): string {
  return `${kind} ${schema === name ? name : `${schema}.${name}`}, ${durationText(seconds)}`;
}

function slotText(slot: NonNullable<TaskStatus['slot']>): string {
  const state = slot.active ? 'streaming' : 'not in use';
  const wal = slot.walStatus === null || slot.walStatus === 'reserved' ? '' : `, WAL ${slot.walStatus}`;
  return `${slot.name}: ${state}, confirmed ${slot.confirmedFlush ?? '-'}, keeps ${bytesText(slot.retainedBytes)} of WAL${wal}`;
}

function tableLines(tables: readonly TableStatus[]): string[] {
  if (tables.length === 0) return [];
  const names = tables.map(({ schema, name }) => `${schema}.${name}`);
  const width = Math.min(48, Math.max(5, ...names.map((name) => name.length)));
  const header = `\n${'table'.padEnd(width)}  state    ${'rows'.padStart(13)}${'read'.padStart(13)}${'loaded'.padStart(13)}`;
  return [
    header,
    ...tables.map((table, index) => {
      const cells = [table.rows, table.rowsRead, table.rowsLoaded].map((rows) => cell(rows));
      return `${(names[index] ?? '').padEnd(width)}  ${table.state.padEnd(9)}${cells.join('')}`;
    }),
  ];
}

function cell(rows: number | null): string {
  return (rows === null ? '?' : countText(rows)).padStart(13);
}
