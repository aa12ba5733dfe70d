import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkoutDir } from '../../../deploy/local/paths.ts';
import { ratioChecks } from '../checks.ts';
import { ratioChart } from './chart.ts';
import { type ReportOptions, reportText } from './report.ts';

const CHART = 'performance.svg';
const BEGIN = '<!-- report of npm run bench -->';
const END = '<!-- end of the report -->';

type Content = Omit<ReportOptions, 'chart'>;

/** Report, chart and raw numbers, into a directory; gives the report. */
export function writeReport(dir: string, content: Content): string {
  const text = reportText({ ...content, chart: CHART });
  const raw = { run: Object.fromEntries(content.run), workloads: rawOf(content) };
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'report.md'), text);
  writeFileSync(join(dir, CHART), chartOf(content));
  writeFileSync(join(dir, 'results.json'), `${JSON.stringify(raw, null, 2)}\n`);
  return text;
}

/** The same into docs/performance.md, in place of the report that is there. */
export function publishReport(content: Content): void {
  const page = join(checkoutDir, 'docs', 'performance.md');
  const [before, rest = ''] = readFileSync(page, 'utf8').split(BEGIN);
  const after = rest.split(END)[1];
  if (after === undefined) throw new Error(`${page} does not hold ${BEGIN} and ${END}`);
  const text = reportText({ ...content, chart: `images/${CHART}` });
  writeFileSync(page, `${before}${BEGIN}\n\n${text}\n${END}${after}`);
  writeFileSync(join(checkoutDir, 'docs', 'images', CHART), chartOf(content));
}

function rawOf({ measured }: Content): object {
  return Object.fromEntries(measured.map(({ workload, outcome }) => [workload.name, outcome]));
}

function chartOf({ measured }: Content): string {
  return ratioChart(measured.flatMap(({ workload, outcome }) => ratioChecks(workload.name, outcome.samples)));
}
