/** A log line of a service as people read it; its JSON as it is where nobody does. */
export function childLine(line: string): string {
  const record = parse(line);
  if (!record) return line;
  const { service, msg, code, err } = record;
  const detail = typeof code === 'string' ? ` (${code})` : '';
  const cause = typeof err === 'object' && err !== null && 'message' in err ? `: ${String(err.message)}` : '';
  return `${String(service ?? 'service')}: ${String(msg ?? '')}${detail}${cause}`;
}

function parse(line: string): Record<string, unknown> | null {
  if (!line.startsWith('{')) return null;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return null;
  }
}
