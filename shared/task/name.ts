import { createHash } from 'node:crypto';

interface DatabaseAddress {
  readonly host: string;
  readonly port: number;
  readonly database: string;
}

const PART_LENGTH = 13;
const HASH_LENGTH = 8;

/**
 * The name of a task that was given none: `<source>-to-<destination>-<hash>`, at most 40 of [a-z0-9-].
 * The same two databases give the same name, whatever account or TLS settings reach them; of several addresses the
 * first counts, whichever of them is the primary.
 */
export function defaultTaskName(source: DatabaseAddress, destination: DatabaseAddress): string {
  const addresses = [source, destination].map(({ host, port, database }) => [host.toLowerCase(), port, database]);
  const hash = createHash('sha256').update(JSON.stringify(addresses)).digest('hex').slice(0, HASH_LENGTH);
  return `${namePart(source.database)}-to-${namePart(destination.database)}-${hash}`;
}

function namePart(database: string): string {
  const plain = database
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, PART_LENGTH);
  return plain.replace(/^-+|-+$/g, '') || 'db';
}
