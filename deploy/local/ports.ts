import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below what systems give to outgoing connections (Linux: from 32768, others from 49152): a server binds its port a
 * while after it was found free, and a connection of anybody would have taken it by then.
 */
const RANGE = { from: 15_000, to: 32_000 } as const;
const MOST_TRIES = 1_000;

/** Ports this process gave away: their servers may not have bound them yet. */
const given = new Set<number>();

/** The wanted port of 127.0.0.1, or where that is taken any free one. */
export async function freePort(wanted?: number): Promise<number> {
  if (wanted !== undefined && (await isFree(wanted))) return wanted;
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const port = randomInt(RANGE.from, RANGE.to);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
    given.delete(port);
  }
  throw new Error(`no free port from ${RANGE.from} to ${RANGE.to}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
