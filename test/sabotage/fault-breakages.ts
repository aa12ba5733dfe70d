import type { Breakage } from './breakage.ts';

const fault = (file: string, name: string) => ({ file: `test/fault/${file}.test.ts`, name });
const unit = (file: string, name: string) => ({ file: `test/unit/${file}.test.ts`, name });
const refusal = (name: string) => ({ file: 'test/integration/capture-resume-refusals.test.ts', name });

/** Of the checks that stop what cannot go on safely. */
export const faults: readonly Breakage[] = [
  {
    name: "does not compare the source's WAL with what was published",
    file: 'shared/envelope/start-decision.ts',
    find: 'if (facts.walEnd >= lsn) return;',
    replace: 'if (facts.walEnd > 0n) return;',
    test: unit('fold', 'knows a source that was put back to before what was published'),
  },
  {
    name: 'takes a database of the same cluster for the source',
    file: 'shared/envelope/start-decision.ts',
    find: 'if (earlier.database !== facts.database && facts.slot?.database !== facts.database) {',
    replace: 'if (earlier.database === null) {',
    test: fault('task-name-taken', 'the name of a task with another source'),
  },
  {
    name: 'does not ask for the last published transaction again',
    file: 'shared/envelope/start-decision.ts',
    find: 'again: complete.position > 0n && confirmedFlush <= complete.commitLsn ? complete : null,',
    replace: 'again: null,',
    test: fault('source-restored', 'capture stops, and goes on when the newer state is back'),
  },
  {
    name: 'takes whatever comes first for the last published transaction',
    file: 'services/capture/stream/transaction-assembler.ts',
    find: 'const same = message.commitLsn === again.commitLsn && message.commitTime === again.commitTime;',
    replace: 'const same = true;',
    test: unit('capture-transaction-assembler', 'is missed when another transaction stands first'),
  },
  {
    name: 'starts beside somebody else who reads from the slot',
    file: 'services/capture/start/slot-in-use.ts',
    find: 'if (!reader) return;',
    replace: 'if (!reader || slot !== "") return;',
    test: fault('slot-lost', 'slot taken by another consumer'),
  },
  {
    name: 'does not write down why a start was refused',
    file: 'services/capture/start/start-path.ts',
    find: 'if (state.epoch) onWriter(',
    replace: 'if (!state.epoch) onWriter(',
    test: refusal('when a table was changed meanwhile'),
  },
  {
    name: 'makes a topic anew that the manifest lists records of',
    file: 'services/capture/start/partition-ends.ts',
    find: 'const gone = ends.find(({ topic }) => !existing.has(topic));',
    replace: 'const gone = ends.find(({ topic }) => topic === "" && !existing.has(topic));',
    test: refusal('when the topic of a table was deleted'),
  },
  {
    name: 'stops at whatever another client wrote to the manifest',
    file: 'shared/envelope/read-record.ts',
    find: 'if (countsByHeader(state, offset, value)) throw error;',
    replace: 'if (countsByHeader(state, offset, value) || value !== null) throw error;',
    test: fault('foreign-records', 'foreign records in the topics of a task'),
  },
  {
    name: 'does not see that the manifest changed below what it read',
    file: 'services/sink-postgres/consume/manifest-log.ts',
    find: 'else if (namesItsPlace(offset, value)) await',
    replace: 'else if (namesItsPlace(offset, value) && this.#topic === "") await',
    test: fault('broker-loses-records', 'a broker that lost the end of the manifest, which grows again'),
  },
  {
    name: 'does not check what a segment holds',
    file: 'services/sink-postgres/consume/segment-pages.ts',
    find: 'if (crc !== segment.crc32c)',
    replace: 'if (crc < 0)',
    test: fault('records-damaged', 'damaged records of a table, of the rows and of the manifest'),
  },
  {
    name: 'does not see that a table was rewritten while it was read',
    file: 'services/capture/snapshot/table-reader.ts',
    find: 'if (fileBefore !== null && fileBefore === fileNow) return;',
    replace: 'if (fileBefore !== null) return;',
    test: fault('table-rewritten-while-read', 'VACUUM FULL, CLUSTER and ALTER COLUMN TYPE USING while tables are read'),
  },
  {
    name: 'measures patience by the wall clock',
    file: 'shared/kafka/patience.ts',
    find: 'else if (performance.now() - since',
    replace: 'else if (Date.now() - since',
    test: unit('clocks', 'no deadline depends on the wall clock'),
  },
  {
    name: 'status knows nothing of a slot that the server gave up',
    file: 'services/control/observe/task-status.ts',
    find: "return slot.walStatus === 'lost' ? slotInvalid(state) : null;",
    replace: 'return null;',
    test: fault('slot-lost', 'slot dropped while it streams, then invalidated'),
  },
];
