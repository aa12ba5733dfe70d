import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type ManifestBody, manifestWriter } from '../../services/capture/publish/manifest-writer.ts';
import { emptyManifest, fold } from '../../shared/envelope/fold.ts';
import { decodeManifestRecord } from '../../shared/envelope/manifest.ts';
import { SluiceError } from '../../shared/errors.ts';
import type { OutgoingRecord, Producer, Written } from '../../shared/kafka/interfaces.ts';
import { type Lsn, lsnFromBigint } from '../../shared/postgres/lsn.ts';

/** A topic of one partition; answers a send when the test says so. */
class Log implements Producer {
  readonly records: Buffer[] = [];
  readonly sends: number[] = [];
  answer: (written: Written) => Written = (written) => written;

  async send(records: readonly OutgoingRecord[]): Promise<Written[]> {
    const [first] = records;
    if (!first) throw new SluiceError('INTERNAL', 'nothing sent');
    const { topic, partition } = first;
    const offset = BigInt(this.records.length);
    this.sends.push(records.length);
    this.records.push(...records.map(({ value }) => value));
    await nextTurn();
    return [this.answer({ topic, partition, offset, count: records.length, crc32c: 0, bytes: 0 })];
  }

  sendSealed(): Promise<Written[]> {
    throw new Error('not for the manifest');
  }

  async close(): Promise<void> {}
}

const epoch: ManifestBody = {
  ...{ kind: 'epoch', task: 't', definition: { hash: 'h', types: ['full'] }, slot: 's', publication: 'p', options: {} },
  ...{ source: { systemIdentifier: '1', timeline: 1, database: 'd', serverVersion: 170_000 }, tables: [] },
  ...{ replicaIdentities: [], startedAt: '', host: '', pid: 1 },
};
const reload = (name: string): ManifestBody => ({ kind: 'reload', table: { schema: 'public', name } });
const heartbeat = (lsn: bigint): ManifestBody => ({ kind: 'heartbeat', lsn: lsnFromBigint(lsn) as Lsn });

function openWriter(log: Log) {
  const sizes = { checkpointBytes: 1 << 30, maxMessageBytes: 1 << 20 };
  return manifestWriter({ topic: 'manifest', producer: log, state: emptyManifest(), ...sizes });
}

test('appends that wait go together, in order, and count as if each had gone alone', async () => {
  const log = new Log();
  const writer = openWriter(log);
  await writer.append(epoch);
  await nextTurn();
  const bodies = [reload('a'), heartbeat(5n), reload('b'), heartbeat(7n), reload('c')];
  const offsets = await Promise.all(bodies.map((body) => writer.append(body)));
  expect(offsets).toEqual([1n, 2n, 3n, 4n, 5n]);
  expect(log.sends).toEqual([1, 1, 4]);
  const state = emptyManifest();
  const records = log.records.map((value, i) => {
    const record = decodeManifestRecord(value, BigInt(i));
    expect(fold(state, BigInt(i), record, value.length)).toMatchObject({ counts: true });
    return record;
  });
  expect(records.map(({ lsn }) => lsn)).toEqual([0n, 0n, 5n, 5n, 7n, 7n]);
  expect(writer.state).toEqual(state);
});

test('nothing of what went together with a lost append counts, and nothing follows', async () => {
  const log = new Log();
  const writer = openWriter(log);
  await writer.append(epoch);
  log.answer = (written) => ({ ...written, offset: written.offset + 1n });
  const ends = await Promise.allSettled(['a', 'b', 'c'].map((name) => writer.append(reload(name))));
  const lost = expect.objectContaining({ status: 'rejected', reason: expect.objectContaining({ code: 'EPOCH_LOST' }) });
  expect(ends).toEqual([lost, lost, lost]);
  expect(writer.state.nextOffset).toBe(1n);
  const sent = log.sends.length;
  await expect(writer.append(reload('d'))).rejects.toMatchObject({ code: 'EPOCH_LOST' });
  expect(log.sends.length).toBe(sent);
});
