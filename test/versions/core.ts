import type { PostgresMajor } from '../../deploy/local/postgres-install.ts';

/** Versions of source and destination, as `14:18`. */
export interface VersionPair {
  readonly source: PostgresMajor;
  readonly destination: PostgresMajor;
}

const majors: readonly PostgresMajor[] = [10, 11, 12, 13, 14, 15, 16, 17, 18];

/** Other than the versions of all other tests; the oldest source whose fences are messages, the newest destination. */
export const PAIR_OF_EVERY_RUN = '14:18';

/** Each version onto itself, and onto a later one. */
export const ALL_PAIRS: readonly string[] = [
  ...['10:10', '10:18', '12:12', '12:17', '14:14', '14:18', '15:15', '15:17'],
  ...['16:16', '16:18', '17:18', '18:18'],
];

/** What is looked at with PAIR_OF_EVERY_RUN. */
const shortCore = [
  'test/e2e/control-migrate-to-release.test.ts',
  'test/fault/capture-killed-while-streaming.test.ts',
  'test/integration/sink-service.test.ts',
];

/** What depends on the servers' versions, and breaks no server. */
const core = [
  ...shortCore,
  'test/fault/{capture-killed-*,sink-killed-while-{applying,loading}}.test.ts',
  'test/integration/{capture,changes,sink,snapshot,values}-*.test.ts',
  'test/integration/schema-publish.test.ts',
  'test/integration/control-compare.test.ts',
];

/** TEST_VERSIONS names a pair to look at thoroughly. */
const asked = process.env['TEST_VERSIONS'];

export const pairUnderTest = parsePair(asked ?? PAIR_OF_EVERY_RUN);
export const filesUnderTest: readonly string[] = asked === undefined ? shortCore : core;

/** @throws Error unless both are versions that can be had, the destination no older than the source */
export function parsePair(text: string): VersionPair {
  const [source, destination] = text.split(':').map((part) => majors.find((major) => String(major) === part));
  if (source && destination && destination >= source) return { source, destination };
  throw new Error(`${text} is not a pair of versions: SOURCE:DESTINATION, each of ${majors.join(', ')}`);
}
