import { note, writeJson } from '../output.ts';
import { BarDisplay } from './bars.ts';
import { plainText } from './plain.ts';
import type { Progress } from './progress.ts';

/** Where a migration's way is shown. */
export interface Display {
  show(progress: Progress): void;
  /** A line of its own: a step, a warning, a log line. */
  line(text: string): void;
  /** The last state stays to be read. */
  end(): void;
}

const PLAIN_EVERY_MS = 5000;
const JSON_EVERY_MS = 1000;

/** Bars where people look; a line every few seconds where not; JSON lines on stdout when asked for. */
export function openDisplay(json: boolean): Display {
  if (json) return jsonDisplay();
  return process.stderr.isTTY ? new BarDisplay(process.stderr) : plainDisplay();
}

function plainDisplay(): Display {
  const due = every(PLAIN_EVERY_MS);
  let last: Progress | null = null;
  let printed = 0;
  const print = (progress: Progress) => {
    printed = performance.now();
    note(plainText(progress));
  };
  return {
    show(progress) {
      const first = last?.status.phase !== progress.status.phase;
      last = progress;
      if (due() || first) print(progress);
    },
    line: note,
    end() {
      if (last && performance.now() - printed > 1000) print(last);
    },
  };
}

function jsonDisplay(): Display {
  const due = every(JSON_EVERY_MS);
  return {
    show(progress) {
      if (!due()) return;
      const { status, rows, changes, objects, indexes, seconds, peak } = progress;
      const { task, phase, detail, lag, positions, batches, lsn, running, waitsFor, errors, unavailable } = status;
      const at = new Date().toISOString();
      writeJson({
        event: 'progress',
        at,
        seconds,
        task,
        phase,
        detail,
        objects,
        rows,
        indexes,
        running,
        changes,
        lag,
        peak,
        positions,
        batches,
        lsn,
        waitsFor,
        errors,
        unavailable,
      });
    },
    line: (text) => writeJson({ event: 'message', at: new Date().toISOString(), text }),
    end: () => undefined,
  };
}

function every(milliseconds: number): () => boolean {
  let next = 0;
  return () => {
    const now = performance.now();
    if (now < next) return false;
    next = now + milliseconds;
    return true;
  };
}
