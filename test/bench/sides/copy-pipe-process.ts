import type { Socket } from 'node:net';
import pg from 'pg';
import { GO_SIGNAL, type PipeJob, type PipeOrder, READY_LINE } from './copy-pipe.ts';

/**
 * Moves CopyData from one connection to another as it comes, without looking into it: what psql's two ends and the
 * pipe between them would do, at less cost. Frontend/Backend Protocol, "COPY Operations".
 */
const order = JSON.parse(process.env['BENCH_ORDER'] ?? '') as PipeOrder;

const COPY_DATA = 'd'.charCodeAt(0);
const COPY_DONE = 'c'.charCodeAt(0);
const COPY_OUT = 'H'.charCodeAt(0);
const COPY_IN = 'G'.charCodeAt(0);
const READY = 'Z'.charCodeAt(0);
const ERROR = 'E'.charCodeAt(0);
/** Type and length. */
const HEADER = 5;
const nothing: Buffer = Buffer.alloc(0);

const waiting = [...order.jobs];
const going = new Promise((resolve) => process.once(GO_SIGNAL, resolve));
const pairs = await Promise.all(
  Array.from({ length: order.parallel }, () => Promise.all([open(order.source), open(order.destination)])),
);
process.stdout.write(`${READY_LINE}\n`);
await going;
await Promise.all(pairs.map(work));
// Ends the connections too; one that ends before is an error that ends us.
process.exit(0);

async function work([source, destination]: [Socket, Socket]): Promise<void> {
  for (let job = waiting.shift(); job; job = waiting.shift()) await pipe(source, destination, job);
}

async function open(connectionString: string): Promise<Socket> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
  stream.removeAllListeners('data');
  return stream;
}

async function pipe(source: Socket, destination: Socket, { from, to }: PipeJob): Promise<void> {
  const begun = [untilMessage(source, COPY_OUT), untilMessage(destination, COPY_IN)];
  source.write(query(from));
  destination.write(query(to));
  const [first = nothing] = await Promise.all(begun);
  const loaded = untilMessage(destination, READY);
  await untilMessage(source, READY, await forward(source, destination, first));
  await loaded;
}

function query(sql: string): Buffer {
  const text = Buffer.from(`${sql}\0`);
  const header = Buffer.alloc(5);
  header.write('Q');
  header.writeInt32BE(text.length + 4, 1);
  return Buffer.concat([header, text]);
}

/** Gives what came after the message; `first`: what was read already. */
function untilMessage(socket: Socket, wanted: number, first: Buffer = nothing): Promise<Buffer> {
  let seen: Buffer = nothing;
  return new Promise((resolve, reject) => {
    const take = (data: Buffer) => {
      seen = Buffer.concat([seen, data]);
      while (seen.length >= 5 && seen.length > seen.readInt32BE(1)) {
        const type = seen[0];
        const end = 1 + seen.readInt32BE(1);
        if (type === ERROR) return reject(new Error(seen.toString('utf8', 5, end)));
        seen = seen.subarray(end);
        if (type !== wanted) continue;
        socket.off('data', take).pause();
        return resolve(seen);
      }
    };
    socket.on('data', take).resume();
    take(first);
  });
}

/** Passes CopyData and CopyDone on; gives what came after them. */
function forward(source: Socket, destination: Socket, first: Buffer): Promise<Buffer> {
  /** Bytes of the message under way that are still to come. */
  let remaining = 0;
  /** The beginning of a message's header. */
  let begun: Buffer = nothing;
  return new Promise((resolve) => {
    const take = (read: Buffer) => {
      const data = begun.length === 0 ? read : Buffer.concat([begun, read]);
      let at = remaining;
      while (at + HEADER <= data.length && (data[at] === COPY_DATA || data[at] === COPY_DONE)) {
        at += 1 + data.readInt32BE(at + 1);
      }
      const end = Math.min(at, data.length);
      remaining = at - end;
      begun = data.subarray(end);
      if (end > 0 && !destination.write(data.subarray(0, end))) {
        source.pause();
        destination.once('drain', () => source.resume());
      }
      if (begun.length < HEADER) return;
      source.off('data', take).pause();
      resolve(begun);
    };
    source.on('data', take).resume();
    take(first);
  });
}
