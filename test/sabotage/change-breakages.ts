import type { Breakage } from './breakage.ts';

const changes = (name: string) => ({ file: 'test/integration/changes.test.ts', name });

/** Of changes and transactions as a whole, from the source to the destination. */
export const changeBreakages: readonly Breakage[] = [
  {
    name: 'commits in the middle of source transactions',
    file: 'services/sink-postgres/apply/destination-transaction.ts',
    find: '[BEGIN, lockPosition(identity), ...statements]',
    replace: '[BEGIN, lockPosition(identity), ...statements.flatMap((each) => [each, COMMIT, BEGIN])]',
    test: { file: 'test/fault/sink-read-while-applying.test.ts', name: 'never shows a part of a source transaction' },
  },
  {
    name: 'gives up where TRUNCATE is refused',
    file: 'services/sink-postgres/apply/truncate.ts',
    find: 'if (sqlstate(error) !== FEATURE_NOT_SUPPORTED) throw error;',
    replace: 'throw error;',
    test: changes('truncates_of_trees'),
  },
  {
    name: 'truncates with CASCADE',
    file: 'services/sink-postgres/apply/statements.ts',
    find: "restartIdentity ? ' RESTART IDENTITY' : ''",
    replace: "restartIdentity ? ' RESTART IDENTITY CASCADE' : ' CASCADE'",
    test: changes('truncates_below_extra'),
  },
  {
    name: "compares keys by the column's collation, not by their index's",
    file: 'services/sink-postgres/apply/destination-catalog.ts',
    find: 'AND l.oid <> a.attcollation',
    replace: 'AND false',
    test: changes('equal_texts'),
  },
  {
    name: 'keeps the key of an overwritten row as it was written',
    file: 'services/sink-postgres/apply/statements.ts',
    find: 'return key.includes(index) && integers.has(columns[index]!.type);',
    replace: 'return key.includes(index);',
    test: changes('equal_texts'),
  },
  {
    name: 'takes a generated column, which the stream does not have, for a key',
    file: 'shared/task/selected-tables.ts',
    find: "AND NOT ${generated('g.attnum = ANY (x.indkey)')}",
    replace: '',
    test: {
      file: 'test/integration/selected-tables.test.ts',
      name: 'replica identities that the stream can use, on 17',
    },
  },
  {
    name: 'streams on under another replica identity',
    file: 'services/capture/stream/streamed-table.ts',
    find: 'if (shape.identity !== relation.identity) {',
    replace: "if (shape.name === '') {",
    test: { file: 'test/integration/changes-interrupted.test.ts', name: 'whole' },
  },
  {
    name: 'puts a TRUNCATE in the first partition only',
    file: 'services/capture/stream/transaction-assembler.ts',
    find: 'partition < table.partitions;',
    replace: 'partition < 1;',
    test: { file: 'test/integration/events.test.ts', name: 'before, after, what did not change' },
  },
  {
    name: 'leaves the old row out of updates',
    file: 'services/capture/stream/transaction-assembler.ts',
    find: "const old = moved || table.shape.identity === 'full' ? before : null;",
    replace: 'const old = moved ? before : null;',
    test: changes('without_key'),
  },
];
