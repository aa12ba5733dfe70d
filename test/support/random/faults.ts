import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkoutDir } from '../../../deploy/local/paths.ts';
import type { Random } from '../random.ts';
import type { Direction, NetworkFault } from '../tcp-proxy.ts';

export type Service = 'capture' | 'sink-postgres';

/** `broker 0`, `broker 1`, ...: by index. */
export type Place = 'source' | 'destination' | 'registry' | `broker ${number}`;

/** What goes wrong in a round; milliseconds say for how long. */
export type Fault =
  /** `parent`: `sluice migrate` alone; its services drain by themselves while the next one starts. */
  | { readonly kind: 'kill'; readonly victim: Service | 'group' | 'parent' }
  | { readonly kind: 'asleep'; readonly victim: Service; readonly milliseconds: number }
  /** How: `fast` and `immediate` are PostgreSQL's; `hang`: stopped and continued. */
  | { readonly kind: 'server'; readonly place: Place; readonly how: ServerFault; readonly milliseconds: number }
  | { readonly kind: 'network'; readonly place: Place; readonly fault: NetworkFault; readonly milliseconds: number };

export type ServerFault = 'fast' | 'immediate' | 'kill' | 'hang';

export interface Round {
  /** Before the fault. */
  readonly pauseMilliseconds: number;
  readonly fault: Fault;
  /** Armed when `sluice migrate` is started in this round, as SLUICE_FAILPOINTS. */
  readonly failpoints: string;
  /** Whether the next round waits until the sink has applied more. */
  readonly settles: boolean;
}

/** What happens in a run follows from the seed alone; when it meets which transaction does not. */
export function generateRounds(random: Random, { rounds, brokers }: { rounds: number; brokers: number }): Round[] {
  const names = failpointNames();
  return Array.from({ length: rounds }, (_, index) => ({
    pauseMilliseconds: random.integer(0, index === 0 ? 6_000 : 2_500),
    fault: index === 0 ? { kind: 'kill', victim: 'group' } : generateFault(random, brokers),
    failpoints: generateFailpoints(random, names),
    settles: random.chance(0.5),
  }));
}

function generateFault(random: Random, brokers: number): Fault {
  const victim = random.pick(['capture', 'sink-postgres'] as const);
  const places: [Place, ...Place[]] = ['source', 'destination', 'registry', `broker ${random.integer(0, brokers)}`];
  const place = random.weighted(places.map((each) => [each === 'registry' ? 1 : 3, each] as const));
  const milliseconds = random.integer(200, 4_000);
  return random.weighted<Fault>([
    [3, { kind: 'kill', victim: random.pick(['capture', 'sink-postgres', 'group', 'parent'] as const) }],
    [2, { kind: 'asleep', victim, milliseconds: random.integer(500, 8_000) }],
    [3, { kind: 'server', place, how: random.pick(waysOf(place)), milliseconds }],
    [6, { kind: 'network', place, fault: generateNetworkFault(random), milliseconds }],
  ]);
}

function waysOf(place: Place): [ServerFault, ...ServerFault[]] {
  return place === 'source' || place === 'destination' ? ['fast', 'immediate', 'kill'] : ['fast', 'kill', 'hang'];
}

function generateNetworkFault(random: Random): NetworkFault {
  const direction: Direction = random.pick(['up', 'down', 'both'] as const);
  return random.weighted<NetworkFault>([
    [2, { kind: 'reset' }],
    [2, { kind: 'delay', milliseconds: random.integer(20, 1_500), direction }],
    [1, { kind: 'throttle', bytesPerSecond: random.integer(2_000, 200_000), direction }],
    [3, { kind: 'black-hole', direction }],
    [2, { kind: 'half-close', direction }],
  ]);
}

function generateFailpoints(random: Random, names: readonly [string, ...string[]]): string {
  if (random.chance(0.4)) return '';
  const chosen = new Set(Array.from({ length: random.integer(1, 4) }, () => random.pick(names)));
  return [...chosen].map((name) => `${name}=kill@${random.pick([1, 1, 1, 2, 3, 10])}`).join(';');
}

/** All that the services have. */
export function failpointNames(): [string, ...string[]] {
  const files = ['services', 'shared'].flatMap((dir) =>
    readdirSync(join(checkoutDir, dir), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => readFileSync(join(checkoutDir, dir, file), 'utf8')),
  );
  const names = files.flatMap((text) =>
    [...text.matchAll(/\bfailpoint\('([\w.-]+)'\)/g)].map(([, name]) => name ?? ''),
  );
  return [...new Set(names)].sort() as [string, ...string[]];
}

export function describeFault(fault: Fault): string {
  switch (fault.kind) {
    case 'kill':
      return `kill -9 of ${fault.victim}`;
    case 'asleep':
      return `${fault.victim} stopped for ${fault.milliseconds} ms`;
    case 'server':
      return `${fault.place} ${fault.how}, away for ${fault.milliseconds} ms`;
    case 'network':
      return `network of ${fault.place}: ${JSON.stringify(fault.fault)} for ${fault.milliseconds} ms`;
  }
}
