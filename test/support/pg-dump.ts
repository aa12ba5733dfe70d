import { execFileSync } from 'node:child_process';

/** pg_dump as oracle: the same text of both ends. Its list of what is not compared stands in docs/operations.md. */

/** Lines that are taken away. */
export const ignoredLines: readonly RegExp[] = [/^--/, /^SET /, /^\\(un)?restrict /];

/** Statements that are taken away, from their first line to the one that ends with a semicolon. */
export const ignoredStatements: readonly RegExp[] = [/^(CREATE|ALTER|COMMENT ON) (PUBLICATION|SUBSCRIPTION) /];

/** The major version of this machine's pg_dump, which reads servers up to it; null where there is none. */
export function pgDumpMajor(): number | null {
  try {
    const text = execFileSync('pg_dump', ['--version'], { encoding: 'utf8' });
    return Number(/ (\d+)/.exec(text)?.[1] ?? Number.NaN) || null;
  } catch {
    return null;
  }
}

export function dumpSchema(url: string): string {
  return normalise(
    execFileSync('pg_dump', ['--schema-only', '--dbname', url], { encoding: 'utf8', maxBuffer: 2 ** 28 }),
  );
}

export function normalise(dump: string): string {
  const lines: string[] = [];
  let inside = false;
  for (const line of dump.split('\n')) {
    inside ||= ignoredStatements.some((pattern) => pattern.test(line));
    if (!inside && !ignoredLines.some((pattern) => pattern.test(line))) lines.push(line);
    if (line.endsWith(';')) inside = false;
  }
  return lines.join('\n');
}
