import { Socket } from 'node:net';

const READ_BYTES = 64 * 1024;

/** Sockets of `readSocket` whose readers are done with the bytes when their call returns. */
const readInPlace = new WeakSet<object>();

/**
 * A socket that reads into one buffer all its life: a stream's own reads leave a buffer of 64 kB each to the garbage
 * collector, also where a few bytes came. pg keeps what it is given, so it gets copies; who takes what the server sends
 * during a COPY, and keeps nothing of it, says so (`setInPlace`).
 */
export function readSocket(): Socket {
  const take = (length: number, buffer: Uint8Array) => {
    const bytes = (buffer as Buffer).subarray(0, length);
    socket.emit('data', readInPlace.has(socket) ? bytes : Buffer.from(bytes));
    return true;
  };
  const options = { onread: { buffer: Buffer.allocUnsafeSlow(READ_BYTES), callback: take } };
  const socket: Socket = new Socket(options as ConstructorParameters<typeof Socket>[0]);
  return socket;
}

/** Whether bytes are valid only while their reader is called; of no effect on other streams, which give theirs away. */
export function setInPlace(stream: object, inPlace: boolean): void {
  if (inPlace) readInPlace.add(stream);
  else readInPlace.delete(stream);
}
