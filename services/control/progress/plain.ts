import { runningText } from '../observe/status-text.ts';
import { bytesText, countText, durationText } from '../observe/units.ts';
import type { Progress } from './progress.ts';

/** One line without control characters. */
export function plainText(progress: Progress): string {
  const { status, seconds } = progress;
  return [`${durationText(seconds)}`, status.phase, ...parts(progress)].join(' | ');
}

function parts(progress: Progress): string[] {
  const { status, objects, rows, indexes, changes } = progress;
  const found: string[] = [];
  if (status.phase === 'schema migration' && objects.total > 0)
    found.push(`${objects.done} of ${objects.total} objects`);
  if (status.phase !== 'incremental data migration' && rows.loaded > 0) found.push(rowsText(progress));
  if (status.phase === 'full data migration' && indexes.done > 0)
    found.push(`${indexes.done} of ${indexes.total} indexes and keys`);
  found.push(...status.running.slice(0, 1).map((object) => `creating ${runningText(object)}`));
  const missing = objects.missing + indexes.missing;
  if (missing > 0) found.push(`${missing} objects failed or skipped`);
  if (changes.applied > 0)
    found.push(`${countText(changes.applied)} changes applied (${countText(Math.round(changes.perSecond))}/s)`);
  if (status.lag) found.push(`lag ${bytesText(status.lag.bytes)}, ${durationText(status.lag.seconds)}`);
  const [first] = status.unavailable;
  if (first) found.push(`${first.what} cannot be looked at: ${first.message}`);
  if (found.length === 0) found.push(...status.waitsFor.slice(0, 1));
  return found;
}

function rowsText({ rows }: Progress): string {
  const of = rows.total === null ? '' : ` of ${countText(rows.total)}`;
  return `${countText(rows.loaded)}${of} rows (${countText(Math.round(rows.perSecond))}/s)`;
}
