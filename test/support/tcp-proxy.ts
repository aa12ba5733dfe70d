import { once } from 'node:events';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** `up`: what the client sends; `down`: what the server answers. */
export type Direction = 'up' | 'down' | 'both';

/**
 * What happens to the connections there are and to new ones, until `heal`:
 * - reset: each ends by RST
 * - delay: each piece of data waits so long
 * - throttle: so many bytes a second
 * - black-hole: data and FIN are swallowed; a connection that it met stays dead for ever, also after `heal`.
 *   The server's end breaks after a while, as its TCP keepalives would find out; the client hears nothing.
 * - half-close: a FIN goes that way, and nothing more
 */
export type NetworkFault =
  | { readonly kind: 'reset' }
  | { readonly kind: 'delay'; readonly milliseconds: number; readonly direction: Direction }
  | { readonly kind: 'throttle'; readonly bytesPerSecond: number; readonly direction: Direction }
  | { readonly kind: 'black-hole'; readonly direction: Direction }
  | { readonly kind: 'half-close'; readonly direction: Direction };

/** Proof of the faults. */
export interface ProxyCounts {
  /** Connections accepted. */
  readonly accepted: number;
  /** Connections that a fault of this kind met. */
  readonly reset: number;
  readonly halfClosed: number;
  readonly blackHoled: number;
  /** Bytes that a black hole swallowed. */
  readonly swallowed: number;
  /** Pieces of data that were delayed or throttled. */
  readonly slowed: number;
}

/** As with tcp_keepalives_idle 10, interval 5, count 3. */
const SERVER_NOTICES_MS = 25_000;

type Counts = { -readonly [Name in keyof ProxyCounts]: number };

/** Stands before one server, which may be restarted meanwhile, and treats what passes as its fault says. */
export class TcpProxy implements AsyncDisposable {
  /** Of the server; to be set before the first connection. */
  target = 0;
  readonly #server: Server;
  readonly #links = new Set<Link>();
  readonly #counts: Counts = { accepted: 0, reset: 0, halfClosed: 0, blackHoled: 0, swallowed: 0, slowed: 0 };
  #fault: NetworkFault | null = null;

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (client) => this.#accept(client));
  }

  static async open(target = 0): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const proxy = new TcpProxy(server);
    proxy.target = target;
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' ? (address?.port ?? 0) : 0;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#links.size;
  }

  get counts(): ProxyCounts {
    return { ...this.#counts };
  }

  begin(fault: NetworkFault): void {
    this.#fault = fault;
    for (const link of this.#links) link.meet(fault);
  }

  heal(): void {
    this.#fault = null;
    for (const link of this.#links) link.heal();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const link of this.#links) link.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    this.#counts.accepted++;
    const server = createConnection({ host: '127.0.0.1', port: this.target, allowHalfOpen: true });
    const link = new Link(client, server, this.#counts);
    this.#links.add(link);
    void link.done.then(() => this.#links.delete(link));
    if (this.#fault) link.meet(this.#fault);
  }
}

/** One connection: a pipe each way. */
class Link {
  readonly done: Promise<unknown>;
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #counts: Counts;
  readonly #up: Pipe;
  readonly #down: Pipe;

  constructor(client: Socket, server: Socket, counts: Counts) {
    this.#client = client;
    this.#server = server;
    this.#counts = counts;
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      // A broken end breaks the other one, unless nobody is to hear of it.
      socket.on('error', () => {
        if (!this.#up.dead && !this.#down.dead) this.#reset();
      });
    }
    this.#up = new Pipe(client, server, counts);
    this.#down = new Pipe(server, client, counts);
    this.done = Promise.all([client, server].map((socket) => new Promise((resolve) => socket.once('close', resolve))));
  }

  meet(fault: NetworkFault): void {
    if (fault.kind === 'reset') {
      this.#counts.reset++;
      this.#reset();
      return;
    }
    if (fault.kind === 'half-close') this.#counts.halfClosed++;
    if (fault.kind === 'black-hole') {
      this.#counts.blackHoled++;
      const timer = setTimeout(() => this.#serverNotices(), SERVER_NOTICES_MS).unref();
      this.#server.once('close', () => clearTimeout(timer));
    }
    if (fault.direction !== 'down') this.#up.meet(fault);
    if (fault.direction !== 'up') this.#down.meet(fault);
  }

  heal(): void {
    this.#up.pace = null;
    this.#down.pace = null;
  }

  destroy(): void {
    this.#client.destroy();
    this.#server.destroy();
  }

  #serverNotices(): void {
    if (this.#down.dead) this.#server.resetAndDestroy();
    else this.#reset();
  }

  #reset(): void {
    this.#client.resetAndDestroy();
    this.#server.resetAndDestroy();
  }
}

type Pace = Extract<NetworkFault, { kind: 'delay' | 'throttle' }>;

class Pipe {
  pace: Pace | null = null;
  /** Nothing passes any more, nor does the end. */
  dead = false;
  readonly #to: Socket;
  readonly #closed: Promise<void>;
  readonly #counts: Counts;

  constructor(from: Socket, to: Socket, counts: Counts) {
    this.#to = to;
    this.#closed = new Promise((resolve) => to.once('close', () => resolve()));
    this.#counts = counts;
    // Its errors are the link's.
    this.#run(from).catch(() => undefined);
  }

  meet(fault: Exclude<NetworkFault, { kind: 'reset' }>): void {
    if (fault.kind === 'delay' || fault.kind === 'throttle') {
      this.pace = fault;
      return;
    }
    this.dead = true;
    if (fault.kind === 'half-close') this.#to.end();
  }

  async #run(from: Socket): Promise<void> {
    // An iterator that ends would destroy the socket, and with it the other way.
    for await (const data of from.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      await this.#wait(data.length);
      if (this.dead) this.#counts.swallowed += data.length;
      else if (!this.#to.write(data)) {
        await Promise.race([new Promise<void>((resolve) => this.#to.once('drain', () => resolve())), this.#closed]);
      }
    }
    if (!this.dead) this.#to.end();
  }

  async #wait(bytes: number): Promise<void> {
    if (!this.pace) return;
    this.#counts.slowed++;
    if (this.pace.kind === 'delay') await delay(this.pace.milliseconds);
    else await delay((bytes / this.pace.bytesPerSecond) * 1_000);
  }
}
