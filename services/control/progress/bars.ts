import { runningText } from '../observe/status-text.ts';
import { bytesText, countText, durationText } from '../observe/units.ts';
import type { Display } from './display.ts';
import type { ObjectCount, Progress } from './progress.ts';

const BAR_WIDTH = 20;
const LABEL_WIDTH = 13;
const MOST_RUNNING = 4;
const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';
const CLEAR_DOWN = '\u001b[J';

interface Terminal {
  write(text: string): unknown;
  readonly columns?: number;
}

/** A bar per phase, drawn anew in place; other lines go above it. */
export class BarDisplay implements Display {
  readonly #terminal: Terminal;
  #drawn = 0;
  #last: Progress | null = null;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    terminal.write(HIDE_CURSOR);
    process.once('exit', () => terminal.write(SHOW_CURSOR));
  }

  show(progress: Progress): void {
    this.#last = progress;
    const lines = barLines(progress).map((line) => cutTo(line, this.#terminal.columns ?? 80));
    this.#terminal.write(`${this.#clear()}${lines.join('\n')}\n`);
    this.#drawn = lines.length;
  }

  line(text: string): void {
    this.#terminal.write(`${this.#clear()}${text}\n`);
    this.#drawn = 0;
    if (this.#last) this.show(this.#last);
  }

  end(): void {
    this.#last = null;
    this.#drawn = 0;
    this.#terminal.write(SHOW_CURSOR);
  }

  #clear(): string {
    return this.#drawn === 0 ? '' : `\u001b[${this.#drawn}A\r${CLEAR_DOWN}`;
  }
}

export function barLines(progress: Progress): string[] {
  const { status, objects, rows, indexes, changes, seconds } = progress;
  const { types } = status;
  const lines: string[] = [];
  const rate = (value: number) => (value >= 1 ? `  ${countText(Math.round(value))}/s` : '');
  if (types.includes('schema')) {
    lines.push(barLine('schema', share(objects), objectsText(objects, ' objects')));
  }
  if (types.includes('full')) {
    const of = rows.total === null ? '' : ` of ${countText(rows.total)}`;
    const full = isLoaded(progress) ? 1 : Math.min(0.999, rows.total ? rows.loaded / rows.total : 0);
    lines.push(barLine('full data', full, `${countText(rows.loaded)}${of} rows${rate(rows.perSecond)}`));
  }
  if (types.includes('schema')) {
    lines.push(barLine('indexes, keys', share(indexes), objectsText(indexes, '')));
    for (const object of status.running.slice(0, MOST_RUNNING))
      lines.push(`${' '.repeat(LABEL_WIDTH)} ${runningText(object)}`);
  }
  if (types.includes('incremental')) {
    const caughtUp = changes.published === 0 ? 0 : changes.applied / changes.published;
    const applied = `${countText(changes.applied)} of ${countText(changes.published)} changes${rate(changes.perSecond)}`;
    lines.push(barLine('incremental', caughtUp, applied));
  }
  lines.push(footer(progress, seconds));
  return lines;
}

function footer({ status }: Progress, seconds: number): string {
  const lag = status.lag === null ? '' : `lag ${bytesText(status.lag.bytes)}, ${durationText(status.lag.seconds)}`;
  const trouble = status.unavailable[0]?.message ?? (status.lag === null ? status.waitsFor[0] : undefined) ?? '';
  return `${durationText(seconds).padEnd(LABEL_WIDTH)} ${[lag, trouble].filter((part) => part !== '').join('  ')}`;
}

function isLoaded({ status }: Progress): boolean {
  return status.tables.length > 0 && status.tables.every(({ state }) => state === 'loaded' || state === 'dropped');
}

function share({ done, total }: ObjectCount): number {
  return total === 0 ? 0 : done / total;
}

function objectsText({ done, total, missing }: ObjectCount, noun: string): string {
  if (total === 0) return '';
  return `${done} of ${total}${noun}${missing === 0 ? '' : `, ${missing} failed or skipped`}`;
}

function barLine(label: string, part: number, text: string): string {
  const filled = Math.round(Math.max(0, Math.min(1, part)) * BAR_WIDTH);
  const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled);
  const percent = `${Math.floor(part * 100)}%`.padStart(4);
  return `${label.padEnd(LABEL_WIDTH)} ${bar} ${percent}  ${text}`;
}

function cutTo(line: string, columns: number): string {
  return line.length < columns ? line : `${line.slice(0, columns - 2)}…`;
}
