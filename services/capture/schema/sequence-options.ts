export interface SequenceOptions {
  type: string;
  start: string;
  increment: string;
  smallest: string;
  largest: string;
  cache: string;
  cycle: string;
}

/** Columns of `pg_sequence s` under the names of SequenceOptions. */
export const sequenceOptionsSql = `format_type(s.seqtypid, NULL) AS type, s.seqstart::text AS start,
  s.seqincrement::text AS increment, s.seqmin::text AS smallest, s.seqmax::text AS largest, s.seqcache::text AS cache, s.seqcycle AS cycle`;

export function sequenceOptions(options: SequenceOptions): string {
  return [
    `START WITH ${options.start}`,
    `INCREMENT BY ${options.increment}`,
    `MINVALUE ${options.smallest}`,
    `MAXVALUE ${options.largest}`,
    `CACHE ${options.cache}`,
    options.cycle === 't' ? 'CYCLE' : 'NO CYCLE',
  ].join(' ');
}
