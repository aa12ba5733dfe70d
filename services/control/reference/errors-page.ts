import { type ErrorEntry, errorCatalogue } from '../../../shared/errors.ts';

const areas: readonly (readonly [title: string, prefixes: readonly string[]])[] = [
  ['Configuration and Sluice itself', ['CONFIG_', 'INTERNAL']],
  ['PostgreSQL, either end', ['POSTGRES_']],
  ['Source', ['SOURCE_']],
  ['Kafka and schema registry', ['KAFKA_', 'REGISTRY_']],
  ['Manifest and topics', ['MANIFEST_', 'SEGMENT_', 'EPOCH_']],
  ['Destination', ['DESTINATION_']],
  ['Command line', ['TASK_', 'FENCE_', 'COMPARE_', 'PRECHECK_', 'LOCAL_']],
];

const intro = `# Errors

<!-- Made by \`node --import tsx services/control/reference/write-pages.ts\`; a test compares it. -->

Every failure has a code, says what happened here and now, and what to do about it. On stderr it is two lines,
\`error CODE: ...\` and \`remedy: ...\`; with \`--json\` it is \`{"error": {"code", "message", "remedy"}}\` on stdout.
*retried*: the service tries again by itself, with growing waits; a service that has not come to run yet stops instead.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | stopped, see the message |
| 2 | wrong usage of the command line |
| 3 | source and destination differ |
| 4 | the precheck found what must be put right first |
| 65 | data error |
| 69 | a server cannot be reached |
| 70 | internal error |
| 78 | wrong configuration |
| 130 | interrupted |
`;

/** docs/errors.md, made of the catalogue itself. */
export function errorsPage(): string {
  const entries = Object.entries(errorCatalogue) as [string, ErrorEntry][];
  const sections = areas.map(([title, prefixes]) => {
    const own = entries.filter(([code]) => prefixes.some((prefix) => code.startsWith(prefix)));
    return `## ${title}\n\n${own.map(([code, entry]) => entryText(code, entry)).join('\n')}`;
  });
  return [intro, ...sections].join('\n');
}

/** Codes that no section would show. */
export function codesWithoutArea(): string[] {
  const prefixes = areas.flatMap(([, own]) => own);
  return Object.keys(errorCatalogue).filter((code) => !prefixes.some((prefix) => code.startsWith(prefix)));
}

function entryText(code: string, { cause, remedy, retry, exit }: ErrorEntry): string {
  return `### ${code}\n\n${cause}\n\n${remedy} (exit code ${exit}${retry === 'retry' ? ', retried' : ''})\n`;
}
