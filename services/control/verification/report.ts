import { countText, durationText } from '../observe/units.ts';
import type { Comparison } from './compare-at-fence.ts';
import type { TableComparison } from './compare-ends.ts';

export function comparisonText(comparison: Comparison): string {
  const { tables, rows, seconds, lsn, equal } = comparison;
  const place = lsn === null ? '' : ` at ${lsn}`;
  const different = tables.filter((table) => !table.equal);
  const summary = `compared ${countText(rows)} rows of ${tables.length} tables${place} in ${durationText(seconds)}: ${
    equal ? 'equal' : `${different.length} tables DIFFER`
  }`;
  return [...different.flatMap(differenceLines), summary].join('\n');
}

function differenceLines(table: TableComparison): string[] {
  const name = `${table.schema}.${table.name}`;
  if ('failed' in table) return [`${name}: ${table.failed}`];
  const { rows, missing, extra, different, examples } = table;
  const counts = `${missing} missing, ${extra} only at the destination, ${different} different`;
  return [
    `${name}: ${countText(rows.source)} rows at the source, ${countText(rows.destination)} at the destination: ${counts}`,
    ...examples.map(({ kind, key }) => `  ${kind === 'extra' ? 'only at the destination' : kind}: key ${key}`),
  ];
}
