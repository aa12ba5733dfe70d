import { type Check, type Verdict, verdictOf } from '../checks.ts';
import { spread } from '../measure/sample.ts';

const WIDTH = 900;
const LEFT = 320;
const RIGHT = 80;
const TOP = 64;
const ROW = 34;
const BAR = 16;

const colours: Readonly<Record<Verdict, string>> = {
  met: '#2f7d5b',
  'aim missed': '#3f6fb0',
  'below the floor': '#b5443c',
};

/** Ratios as bars: median, from least to most as a line, aim and floor as marks. It brings a background of its own. */
export function ratioChart(checks: readonly Check[]): string {
  const most = Math.max(1.5, ...checks.flatMap(({ values, aim }) => [...values, aim]));
  const x = (value: number) => LEFT + (value / most) * (WIDTH - LEFT - RIGHT);
  const height = TOP + checks.length * ROW + 24;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}"
  font-family="system-ui, sans-serif" font-size="13" fill="#1f2733">
<title>Rates as ratios to their baselines</title>
<rect width="${WIDTH}" height="${height}" rx="6" fill="#ffffff"/>
<text x="16" y="24" font-size="15" font-weight="600">Rate over the rate of the baseline, same servers, same round</text>
${legend()}
${grid(most, x, height)}
${checks.map((check, index) => row(check, TOP + index * ROW, x)).join('\n')}
</svg>
`;
}

function legend(): string {
  const parts = (Object.entries(colours) as [Verdict, string][]).map(
    ([verdict, colour], index) =>
      `<rect x="${16 + index * 130}" y="36" width="12" height="12" fill="${colour}"/>` +
      `<text x="${34 + index * 130}" y="47">${verdict}</text>`,
  );
  const marks = `<line x1="420" y1="34" x2="420" y2="50" stroke="#b5443c" stroke-width="3"/><text x="428" y="47">floor</text>
<line x1="480" y1="34" x2="480" y2="50" stroke="#1f2733" stroke-width="3"/><text x="488" y="47">aim</text>
<line x1="536" y1="42" x2="566" y2="42" stroke="#1f2733"/><text x="574" y="47">all rounds</text>`;
  return `${parts.join('\n')}\n${marks}`;
}

function grid(most: number, x: (value: number) => number, height: number): string {
  const steps = Array.from({ length: Math.floor(most / 0.5) + 1 }, (_, index) => index * 0.5);
  return steps
    .map(
      (value) =>
        `<line x1="${x(value)}" y1="${TOP}" x2="${x(value)}" y2="${height - 22}" stroke="#d9dee5"/>` +
        `<text x="${x(value)}" y="${height - 8}" text-anchor="middle" fill="#5b6675">${value.toFixed(1)}</text>`,
    )
    .join('\n');
}

function row(check: Check, top: number, x: (value: number) => number): string {
  const { min, median, max } = spread(check.values);
  const y = top + (ROW - BAR) / 2;
  const middle = y + BAR / 2;
  const mark = (value: number, colour: string) =>
    `<line x1="${x(value)}" y1="${y - 5}" x2="${x(value)}" y2="${y + BAR + 5}" stroke="${colour}" stroke-width="3"/>`;
  return `<text x="${LEFT - 10}" y="${middle + 4}" text-anchor="end">${check.workload}: ${check.what}</text>
<rect x="${LEFT}" y="${y}" width="${Math.max(1, x(median) - LEFT)}" height="${BAR}" fill="${colours[verdictOf(check)]}"/>
<line x1="${x(min)}" y1="${middle}" x2="${x(max)}" y2="${middle}" stroke="#1f2733"/>
${mark(check.floor, '#b5443c')}
${mark(check.aim, '#1f2733')}
<text x="${WIDTH - RIGHT + 12}" y="${middle + 4}" font-weight="600">${median.toFixed(2)}</text>`;
}
