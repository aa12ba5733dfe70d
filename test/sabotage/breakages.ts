import type { Breakage } from './breakage.ts';
import { changeBreakages } from './change-breakages.ts';
import { faults } from './fault-breakages.ts';

const fold = (name: string) => ({ file: 'test/unit/fold.test.ts', name });
const answers = (name: string) => ({ file: 'test/unit/kafka-answers.test.ts', name });
const assembler = (name: string) => ({ file: 'test/unit/capture-transaction-assembler.test.ts', name });
const sinkPlan = (name: string) => ({ file: 'test/unit/sink-plan.test.ts', name });
const merge = (name: string) => ({ file: 'test/unit/sink-merge.test.ts', name });
const apply = (name: string) => ({ file: 'test/integration/sink-apply.test.ts', name });
const conflicts = (name: string) => ({ file: 'test/integration/sink-conflicts.test.ts', name });
const suspended = (name: string) => ({ file: 'test/integration/sink-suspended-actions.test.ts', name });
const starting = (name: string) => ({ file: 'test/fault/capture-killed-while-starting.test.ts', name });
const applying = (name: string) => ({ file: 'test/fault/sink-killed-while-applying.test.ts', name });
const loading = (name: string) => ({ file: 'test/fault/sink-killed-while-loading.test.ts', name });

const schedule = (name: string) => ({ file: 'test/unit/schema-objects-schedule.test.ts', name });

const manifest: readonly Breakage[] = [
  {
    name: 'acknowledges one byte past the end LSN',
    file: 'shared/envelope/acknowledgement.ts',
    find: '? ZERO_LSN : state.lsn;',
    replace: '? ZERO_LSN : ((state.lsn + 1n) as Lsn);',
    test: fold('is the LSN of what was answered'),
  },
  {
    name: 'acknowledges what was received, past the manifest',
    file: 'services/capture/stream/change-stream.ts',
    find: 'connection.sendStatus(lsn, replyRequested)',
    replace: 'connection.sendStatus(this.#builder.through > lsn ? this.#builder.through : lsn, replyRequested)',
    test: {
      file: 'test/fault/wal-sender-timeout.test.ts',
      name: 'back-pressure keeps the walsender alive beyond wal_sender_timeout, acknowledges and loses nothing',
    },
  },
  {
    name: 'ignores the epoch',
    file: 'shared/envelope/fold.ts',
    find: "if (record.kind !== 'epoch' && record.epoch !== state.epoch?.epoch) return 'other epoch';",
    replace: '',
    test: fold('counts what stands where it says under the newest epoch'),
  },
  {
    name: 'ignores at',
    file: 'shared/envelope/fold.ts',
    find: "if (record.at !== offset) return 'other offset';",
    replace: '',
    test: fold('counts what stands where it says under the newest epoch'),
  },
  {
    name: 'keeps the parts of an open transaction over an epoch',
    file: 'shared/envelope/fold.ts',
    find: 'state.position = state.complete.position;',
    replace: '',
    test: fold('voids the parts of an open transaction'),
  },
  {
    name: 'resumes at the commit LSN',
    file: 'shared/envelope/start-decision.ts',
    find: 'from: maxLsn(complete.endLsn, state.slot.consistentPoint)',
    replace: 'from: maxLsn(complete.commitLsn, state.slot.consistentPoint)',
    test: fold('resumes at the end LSN of the last complete transaction'),
  },
  {
    name: 'does not compare the slot with the manifest',
    file: 'shared/envelope/start-decision.ts',
    find: 'if (slot.confirmedFlush > state.lsn) {',
    replace: 'if (slot.confirmedFlush > state.lsn + (1n << 60n)) {',
    test: fold('stops with SOURCE_SLOT_AHEAD'),
  },
  {
    name: 'accepts an append that stands elsewhere',
    file: 'services/capture/publish/manifest-writer.ts',
    find: 'if (answer.offset === at) return;',
    replace: 'if (answer.offset >= at) return;',
    test: { file: 'test/fault/capture-taken-over.test.ts', name: 'a stopped capture that wakes late' },
  },
];

const producer: readonly Breakage[] = [
  {
    name: 'accepts a missing answer of the producer',
    file: 'shared/kafka/answers.ts',
    find: 'if (!answer) throw doubtful(`the answer does not name ${name}`);',
    replace: 'if (!answer) return { ...batch, offset: 0n };',
    test: answers('do not count with a missing partition'),
  },
  {
    name: 'accepts a doubled answer of the producer',
    file: 'shared/kafka/answers.ts',
    find: 'if (found.has(name)) throw doubtful(`the answer names ${name} twice`);',
    replace: '',
    test: answers('do not count with a partition named twice'),
  },
  {
    name: 'accepts an offset below what is listed',
    file: 'shared/kafka/answers.ts',
    find: 'if (answer.baseOffset < floor || answer.baseOffset < 0n) {',
    replace: 'if (answer.baseOffset < 0n) {',
    test: answers('do not count below the end of what is listed'),
  },
];

const capture: readonly Breakage[] = [
  {
    name: 'makes the publication after the slot',
    file: 'services/capture/start/new-slot.ts',
    find: '  await publish(options, objects);\n',
    replace: '',
    test: starting('with a publication and no slot record'),
  },
  {
    name: 'counts selected changes only as ordinals',
    file: 'services/capture/stream/transaction-assembler.ts',
    find: '    this.#next();\n    if (!bound) return null;',
    replace: '    if (!bound) return null;\n    this.#next();',
    test: assembler('positions are dense, ordinals count every change as decoded'),
  },
  {
    name: 'forgets the delete of a moved key',
    file: 'services/capture/stream/transaction-assembler.ts',
    find: 'const moved = key.some((i) => !before.sameValue(after, i));',
    replace: 'const moved = false;',
    test: assembler('a key change is a moved delete of the old key, then the update'),
  },
];

const sink: readonly Breakage[] = [
  {
    name: 'accepts a batch of which one position is missing',
    file: 'services/sink-postgres/consume/merge.ts',
    find: 'if (dense && found !== listed)',
    replace: 'if (dense && found < listed - 1)',
    test: merge('refuses a batch when one is missing'),
  },
  {
    name: 'moves the position in a transaction of its own',
    file: 'services/sink-postgres/apply/destination-transaction.ts',
    find: "  failpoint('sink.before-commit');\n",
    replace: "  await client.query('COMMIT');\n  failpoint('sink.before-commit');\n  await client.query('BEGIN');\n",
    test: applying('before a commit'),
  },
  {
    name: 'does not compare the position with what it believes',
    file: 'services/sink-postgres/bookkeeping/position.ts',
    find: 'if (found && isSame(found, believed)) return;',
    replace: 'if (found) return;',
    test: apply('what another sink moved is not touched'),
  },
  {
    name: 'does not check the ledger of chunks',
    file: 'services/sink-postgres/bookkeeping/table-loads.ts',
    find: '  return rowCount === 1;\n}\n\nexport interface Totals',
    replace: '  return rowCount !== null;\n}\n\nexport interface Totals',
    test: loading('after a chunk'),
  },
  {
    name: 'applies the stream before the last first read is loaded',
    file: 'services/sink-postgres/load/load-tables.ts',
    find: 'if (this.#isRead()) {',
    replace: 'if (this.#tables.size > 0) return;\n      if (this.#isRead()) {',
    test: loading('after a COPY, before its commit'),
  },
  {
    name: 'swallows what fails change by change',
    file: 'services/sink-postgres/apply/apply-singly.ts',
    find: '      throw isOfTheData(error) ? refused(error, event) : error;\n',
    replace: '      if (!isOfTheData(error)) throw error;\n',
    test: apply('a change that breaks a constraint stops'),
  },
  {
    name: 'casts values from text',
    file: 'services/sink-postgres/apply/statements.ts',
    find: 'column: (index) => `r.c${index}`,',
    replace: 'column: (index) => (name(target, index) === \'"v"\' ? `r.c${index}::text::varchar(3)` : `r.c${index}`),',
    test: apply('a value too long for its column is refused, never cut'),
  },
  {
    name: 'lets a value that the WAL did not carry become NULL',
    file: 'services/sink-postgres/apply/plan.ts',
    find: '(value === UNKNOWN ? (before[index] ?? null) : value)',
    replace: '(value === UNKNOWN ? null : (value ?? before[index] ?? null))',
    test: sinkPlan('folds changes of one row, and keeps a value that the WAL did not carry'),
  },
  {
    name: 'goes by LSN where the snapshot goes by transaction ids',
    file: 'shared/envelope/skip-rule.ts',
    find: 'return full < xmin || (full < xmax && !running.includes(full));',
    replace: 'return full < xmax;',
    test: { file: 'test/unit/sink-skip-rule.test.ts', name: 'an ordinary snapshot saw what had ended' },
  },
  {
    name: 'runs the keys of two columns together',
    file: 'shared/envelope/packed-row.ts',
    find: "bytes.toString('latin1', at + 1, end)",
    replace: "bytes.toString('latin1', at + 2, end)",
    test: sinkPlan('keys of several columns do not run into each other'),
  },
];

const othersRows: readonly Breakage[] = [
  {
    name: 'goes on over a conflict under stop',
    file: 'services/sink-postgres/apply/conflict.ts',
    find: "    if (this.#policy === 'stop') throw stopped(kind, event);\n",
    replace: '',
    test: conflicts('stop: an update stops before anything of its transaction'),
  },
  {
    name: 'believes that a set met all of its rows',
    file: 'services/sink-postgres/apply/apply-sets.ts',
    find: 'if (statement) return set(statement, rows.length);',
    replace: 'if (statement) return set(statement, null);',
    test: conflicts('overwrite: an insert meets a row, an update and a delete meet none'),
  },
  {
    name: "sweeps somebody else's row without a word",
    file: 'services/sink-postgres/apply/apply-sets.ts',
    find: "policy === 'overwrite' ? null : 0",
    replace: 'null',
    test: conflicts('stop: came and went stops'),
  },
  {
    name: 'replaces a row without a key instead of updating it',
    file: 'services/sink-postgres/apply/loose-run.ts',
    find: 'if (before && after) altered.push({ before, after });',
    replace: 'if (before && after) {\n        removed.push(before);\n        inserted.push(after);\n      }',
    test: conflicts('columns of the destination alone keep their values and defaults (fold true)'),
  },
  {
    name: 'remembers a trigger and lets it act',
    file: 'shared/postgres/suspended-actions.ts',
    find: '      await client.query(suspending(action));\n',
    replace: '',
    test: suspended('what acts in an ordinary session is suspended'),
  },
  {
    name: 'puts back every trigger as an ordinary one',
    file: 'shared/postgres/suspended-actions.ts',
    find: "{ O: 'ENABLE', A: 'ENABLE ALWAYS', R: 'ENABLE REPLICA' }",
    replace: "{ O: 'ENABLE', A: 'ENABLE', R: 'ENABLE' }",
    test: suspended('what acts in an ordinary session is suspended'),
  },
  {
    name: 'loads into a table that is kept',
    file: 'services/sink-postgres/load/load-tables.ts',
    find: 'return isKept(table) ? stagingOf(destination.identity, table) : null;',
    replace:
      'return isKept(table) && destination.identity.sink === table.name ? stagingOf(destination.identity, table) : null;',
    test: { file: 'test/integration/sink-existing-tables.test.ts', name: 'rows are kept, the others added once' },
  },
];

const values: readonly Breakage[] = [
  {
    name: 'takes a key-only old tuple for NULLs',
    file: 'services/capture/stream/pgoutput-decoder.ts',
    find: 'for (let i = 0; i < tuple.length; i++) if (!relation.columns[i]?.key) tuple.setUnknown(i);',
    replace: '',
    test: { file: 'test/unit/capture-pgoutput-decoder.test.ts', name: 'a key-only old tuple' },
  },
];

const watch = (name: string) => ({ file: 'test/integration/postgres-session-watch.test.ts', name });

const connections: readonly Breakage[] = [
  {
    name: 'waits for ever on a connection that is dead without a word',
    file: 'shared/postgres/session-watch.ts',
    find: "  return runs && !waitsForUs.has(activity.waitEvent) ? 'working' : 'lost';",
    replace: "  return runs || waitsForUs.size > 0 ? 'working' : 'lost';",
    test: watch('a statement whose answer was lost fails'),
  },
  {
    name: 'gives a large answer no more time than a small one',
    file: 'shared/kafka/protocol.ts',
    find: 'return ANSWER_MARGIN + Math.ceil(bytes / BYTES_PER_MILLISECOND);',
    replace: 'return ANSWER_MARGIN + Math.min(bytes, BYTES_PER_MILLISECOND);',
    test: { file: 'test/fault/slow-link.test.ts', name: 'a large record over a slow link' },
  },
  {
    name: 'ends a session only when the server says goodbye',
    file: 'shared/postgres/connection.ts',
    find: 'const timer = setTimeout(() => this.connection.stream.destroy(), END_MS);',
    replace: 'const timer = setTimeout(() => undefined, END_MS);',
    test: watch('an idle session on a dead connection ends all the same'),
  },
  {
    name: 'reads the applied position while a COMMIT is under way',
    file: 'services/sink-postgres/bookkeeping/position.ts',
    find: 'WHERE task = $1 AND sink = $2 FOR UPDATE`;',
    replace: 'WHERE task = $1 AND sink = $2`;',
    test: apply('the position is not read before'),
  },
  {
    name: 'takes a key that is written otherwise for the key of another row',
    file: 'services/sink-postgres/apply/write-change.ts',
    find: 'findOther(target, after, before)))',
    replace: 'findOne(target, after)))',
    test: apply('a key that is written otherwise and equal'),
  },
];

const schemaObjects: readonly Breakage[] = [
  {
    name: 'creates an object whose need failed',
    file: 'shared/schema-objects/schedule.ts',
    find: '    if (need === undefined) return false;\n    const { cause',
    replace: '    if (need === undefined || this.#alone.size > 0) return false;\n    const { cause',
    test: schedule('one that fails stops only what needs it'),
  },
  {
    name: 'lets a constraint and an index of one table run at once',
    file: 'shared/schema-objects/schedule.ts',
    find: "if (held === 'exclusive' || (held === 'shared' && lock === 'exclusive')) return true;",
    replace: "if (held === 'exclusive') return true;",
    test: schedule('indexes of a table share it'),
  },
  {
    name: 'takes what existed for created, with all that is said of it',
    file: 'shared/schema-objects/existing-objects.ts',
    find: "return subjects.length > 0 && subjects.every(({ number }) => states.get(number)?.state === 'existed');",
    replace: 'return subjects.length < 0;',
    test: { file: 'test/unit/schema-objects-selection.test.ts', name: 'what speaks of kept objects only is kept' },
  },
  {
    name: 'writes the state of an object before its transaction commits, in another one',
    file: 'shared/schema-objects/create-section.ts',
    find: 'claim, ...objects.map(',
    replace: "claim, 'COMMIT', 'BEGIN', ...objects.map(",
    test: { file: 'test/fault/sink-killed-while-creating.test.ts', name: 'in each section' },
  },
];

export const breakages: readonly Breakage[] = [
  ...schemaObjects,
  ...manifest,
  ...producer,
  ...capture,
  ...sink,
  ...othersRows,
  ...values,
  ...connections,
  ...faults,
  ...changeBreakages,
];
