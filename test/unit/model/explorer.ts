import { checkpointOf } from '../../../shared/envelope/checkpoint.ts';
import {
  allRules,
  type Bounds,
  commitLsn,
  decide,
  endLsn,
  type Folded,
  foldLog,
  heartbeatPossible,
  type LogRecord,
  mayAcknowledge,
  type Rules,
  type Slot,
} from './world.ts';

/**
 * Breadth-first over every interleaving of two writers, the log, the slot and a sink, up to the bounds.
 * A writer runs the start path: take the source session, read the slot, read the log, append an epoch record, fold,
 * decide, perhaps create the slot between two slot records, stream. All operations at the source need its session.
 */

interface Attempt {
  readonly epoch: number;
  /** Records of the log that this writer knows: its own fold. */
  readonly known: number;
  readonly facts: Slot | null;
  readonly before: number;
}

type Writer =
  | { readonly at: 'down' }
  | { readonly at: 'facts'; readonly facts: Slot | null }
  | {
      readonly at: 'waiting';
      readonly then: 'decide' | 'make slot' | 'stream';
      readonly sent: LogRecord;
      readonly attempt: Attempt;
      readonly stream: Stream | null;
    }
  | { readonly at: 'decide' | 'make slot' | 'record slot'; readonly attempt: Attempt }
  | { readonly at: 'stream'; readonly attempt: Attempt; readonly stream: Stream };

interface Stream {
  /** Transaction and part that come next, position of the next event, LSN below which all was received. */
  readonly tx: number;
  readonly part: number;
  readonly position: number;
  readonly received: number;
}

interface InFlight {
  readonly writer: number;
  readonly record: LogRecord;
  readonly retry: boolean;
}

interface State {
  readonly log: readonly LogRecord[];
  readonly net: readonly InFlight[];
  readonly slot: Slot | null;
  readonly session: number | null;
  readonly writers: readonly [Writer, Writer];
  readonly epochs: number;
  /** Transactions that the sink applied (in the model's failure mode without their position), and how many it knows of. */
  readonly sink: { readonly applied: readonly number[]; readonly stored: number };
}

export interface Outcome {
  readonly states: number;
  readonly violation: string | null;
  readonly trace: readonly string[];
  /** Whether some path got every transaction counted and applied: a model in which nothing happens proves nothing. */
  readonly completed: boolean;
}

type Step = readonly [string, State];

export function explore(bounds: Bounds, switched: Partial<Rules> = {}, limit = 2_000_000): Outcome {
  const rules = { ...allRules, ...switched };
  const explorer = new Explorer(bounds, rules);
  return explorer.run(limit);
}

class Explorer {
  private readonly bounds: Bounds;
  private readonly rules: Rules;
  private readonly folds = new Map<string, Folded>();

  constructor(bounds: Bounds, rules: Rules) {
    this.bounds = bounds;
    this.rules = rules;
  }

  run(limit: number): Outcome {
    const start = startState(this.bounds);
    const queue: { state: State; from: number; action: string }[] = [{ state: start, from: -1, action: '' }];
    const seen = new Set<string>([JSON.stringify(start)]);
    let completed = false;
    const selected = this.bounds.transactions.flatMap(({ parts }, i) => (parts > 0 ? [i + 1] : []));
    for (let i = 0; i < queue.length; i++) {
      const entry = queue[i] as (typeof queue)[number];
      const violation = this.violation(entry.state);
      if (violation) return { states: i, violation, trace: trace(queue, i), completed };
      if (entry.state.sink.applied.length === selected.length) completed = true;
      if (i > limit) return { states: i, violation: 'the exploration is too large', trace: [], completed };
      for (const [action, next] of this.steps(entry.state)) {
        const key = JSON.stringify(next);
        if (seen.has(key)) continue;
        seen.add(key);
        queue.push({ state: next, from: i, action });
      }
    }
    return { states: queue.length, violation: null, trace: [], completed };
  }

  private fold(log: readonly LogRecord[]): Folded {
    const key = JSON.stringify(log);
    let folded = this.folds.get(key);
    if (!folded) {
      folded = foldLog(log, this.rules, this.bounds);
      this.folds.set(key, folded);
    }
    return folded;
  }

  private violation(state: State): string | null {
    const { applied, broken, state: manifest } = this.fold(state.log);
    if (broken) return broken;
    const wanted = this.bounds.transactions.flatMap(({ parts }, i) => (parts > 0 ? [i + 1] : []));
    if (applied.some((tx, i) => tx !== wanted[i])) return `counted transactions ${applied}`;
    if (state.sink.applied.some((tx, i) => tx !== wanted[i])) return `the sink applied ${state.sink.applied}`;
    if (manifest.slot?.consistentPoint && state.slot && state.slot.confirmed > Number(manifest.lsn)) {
      return `slot at ${state.slot.confirmed}, past the manifest at ${manifest.lsn}`;
    }
    // All that commits below the manifest's LSN is in it.
    const missing = wanted.find((tx) => commitLsn(tx) < manifest.lsn && !applied.includes(tx));
    return missing === undefined ? null : `transaction ${missing} is below the manifest's LSN but not in it`;
  }

  private steps(state: State): Step[] {
    const steps: Step[] = [];
    for (const i of [0, 1]) steps.push(...this.writerSteps(state, i));
    for (const message of state.net) steps.push(...this.landings(state, message));
    steps.push(...this.sinkSteps(state));
    return steps;
  }

  private writerSteps(state: State, i: number): Step[] {
    const writer = state.writers[i] as Writer;
    const name = 'AB'[i] as string;
    const owns = state.session === i;
    const steps: Step[] = [];
    if (writer.at !== 'down') {
      steps.push([`${name} dies`, { ...withWriter(state, i, { at: 'down' }), session: owns ? null : state.session }]);
    }
    switch (writer.at) {
      case 'down':
        // A take-over ends the session of the holder, who notices at its next use only.
        // A and B are alike: A goes first.
        if (state.epochs < this.bounds.epochs && (i === 0 || state.epochs > 0 || state.session === 0)) {
          steps.push([
            `${name} takes the session`,
            { ...withWriter(state, i, { at: 'facts', facts: state.slot }), session: i },
          ]);
        }
        break;
      case 'facts':
        steps.push(this.appendEpoch(state, i, writer.facts));
        break;
      case 'waiting':
        if (this.rules.retryAppends && !state.net.some((m) => m.writer === i && m.retry)) {
          const retry = { writer: i, record: writer.sent, retry: true };
          steps.push([`${name}'s client retries`, { ...state, net: sorted([...state.net, retry]) }]);
        }
        if (this.rules.acknowledge === 'sent' && writer.stream && owns)
          steps.push(...this.acknowledge(state, i, writer.attempt, writer.stream));
        break;
      default:
        if (owns) steps.push(...this.sourceSteps(state, i, writer));
        else steps.push([`${name} notices that its session ended`, withWriter(state, i, { at: 'down' })]);
    }
    return steps;
  }

  private appendEpoch(state: State, i: number, facts: Slot | null): Step {
    const known = this.fold(state.log).state.epoch?.epoch;
    const epoch = this.rules.uniqueEpochs ? state.epochs + 1 : Number(known ?? 0) + 1;
    const attempt = { epoch, known: 0, facts, before: state.log.length };
    const sent: LogRecord = { kind: 'epoch', epoch, at: state.log.length, ...this.named(state.log) };
    const next = this.send({ ...state, epochs: state.epochs + 1 }, i, sent, 'decide', attempt, null);
    return [`${'AB'[i]} sends epoch ${epoch}`, next];
  }

  private sourceSteps(state: State, i: number, writer: Exclude<Writer, { at: 'down' | 'facts' | 'waiting' }>): Step[] {
    const name = 'AB'[i] as string;
    const { attempt } = writer;
    switch (writer.at) {
      case 'decide':
        return [this.decide(state, i, attempt)];
      case 'make slot': {
        // CREATE fails when somebody else made it since the facts were read; recreation drops first.
        if (state.slot && !attempt.facts) return [[`${name} meets a slot`, withWriter(state, i, { at: 'down' })]];
        const slot = { confirmed: Number(commitLsn(1)) };
        return [[`${name} creates the slot`, { ...withWriter(state, i, { at: 'record slot', attempt }), slot }]];
      }
      case 'record slot': {
        const sent: LogRecord = { kind: 'slot', epoch: attempt.epoch, at: attempt.known, created: true };
        return [[`${name} sends slot {created}`, this.send(state, i, sent, 'stream', attempt, firstStream())]];
      }
      case 'stream':
        return this.streamSteps(state, i, attempt, writer.stream);
    }
  }

  private decide(state: State, i: number, attempt: Attempt): Step {
    const name = 'AB'[i] as string;
    const folded = this.fold(state.log.slice(0, attempt.known));
    const facts = this.rules.factsBeforeEpoch ? attempt.facts : state.slot;
    const decision = decide(folded, facts, attempt.before, this.rules);
    if (decision.kind !== 'resume') {
      const sent: LogRecord = { kind: 'slot', epoch: attempt.epoch, at: attempt.known, created: false };
      return [`${name} ${decision.kind}: sends slot`, this.send(state, i, sent, 'make slot', attempt, null)];
    }
    // The server moves a start below confirmed_flush_lsn forward silently; it sends whole transactions only.
    const from = Math.max(Number(decision.from), state.slot?.confirmed ?? 0);
    let tx = 1;
    while (Number(commitLsn(tx)) < from) tx++;
    const stream = { tx, part: 1, position: Number(decision.position), received: from };
    return [`${name} streams from ${from}`, withWriter(state, i, { at: 'stream', attempt, stream })];
  }

  private streamSteps(state: State, i: number, attempt: Attempt, stream: Stream): Step[] {
    const name = 'AB'[i] as string;
    const steps: Step[] = [];
    const known = this.fold(state.log.slice(0, attempt.known)).state;
    const parts = this.bounds.transactions[stream.tx - 1]?.parts;
    if (parts === 0) {
      const received = Number(endLsn(stream.tx));
      const next = { ...stream, tx: stream.tx + 1, received };
      steps.push([
        `${name} receives empty ${stream.tx}`,
        withWriter(state, i, { at: 'stream', attempt, stream: next }),
      ]);
    } else if (parts !== undefined && attempt.known < this.bounds.log) {
      const batch = Number(known.batch) + 1;
      const { tx, part, position } = stream;
      const sent: LogRecord = { kind: 'batch', epoch: attempt.epoch, at: attempt.known, batch, position, tx, part };
      const last = part === parts;
      const after = {
        tx: last ? tx + 1 : tx,
        part: last ? 1 : part + 1,
        position: position + 1,
        received: last ? Number(endLsn(tx)) : stream.received,
      };
      steps.push([`${name} sends batch ${batch} (${tx}.${part})`, this.send(state, i, sent, 'stream', attempt, after)]);
    }
    if (attempt.known < this.bounds.log && heartbeatPossible(known, stream.received)) {
      const sent: LogRecord = { kind: 'heartbeat', epoch: attempt.epoch, at: attempt.known, lsn: stream.received };
      steps.push([`${name} sends heartbeat ${stream.received}`, this.send(state, i, sent, 'stream', attempt, stream)]);
    }
    if (
      this.rules.checkpoints &&
      attempt.known < this.bounds.log &&
      known.checkpoint?.offset !== known.nextOffset - 1n
    ) {
      const sent: LogRecord = {
        kind: 'checkpoint',
        epoch: attempt.epoch,
        at: attempt.known,
        state: checkpointOf(known),
      };
      steps.push([`${name} sends a checkpoint`, this.send(state, i, sent, 'stream', attempt, stream)]);
    }
    return [...steps, ...this.acknowledge(state, i, attempt, stream)];
  }

  private acknowledge(state: State, i: number, attempt: Attempt, stream: Stream): Step[] {
    const known = this.fold(state.log.slice(0, attempt.known)).state;
    const lsn = mayAcknowledge(known, stream.received, stream.received, this.rules);
    if (!state.slot || lsn <= state.slot.confirmed) return [];
    return [[`${'AB'[i]} acknowledges ${lsn}`, { ...state, slot: { confirmed: lsn } }]];
  }

  private send(
    state: State,
    i: number,
    sent: LogRecord,
    then: 'decide' | 'make slot' | 'stream',
    attempt: Attempt,
    stream: Stream | null,
  ): State {
    const record = { ...sent, ...(sent.kind === 'epoch' ? {} : this.named(state.log.slice(0, attempt.known))) };
    const writer: Writer = { at: 'waiting', then, sent: record, attempt, stream };
    return { ...withWriter(state, i, writer), net: sorted([...state.net, { writer: i, record, retry: false }]) };
  }

  /** The newest checkpoint of what a writer knows, as its records name it. */
  private named(known: readonly LogRecord[]): { checkpoint?: number } {
    if (!this.rules.checkpoints) return {};
    const { checkpoint } = this.fold(known).state;
    return checkpoint === null ? {} : { checkpoint: Number(checkpoint.offset) };
  }

  private landings(state: State, message: InFlight): Step[] {
    if (state.log.length >= this.bounds.log) return [];
    const name = 'AB'[message.writer] as string;
    const offset = state.log.length;
    const net = state.net.filter((other) => other !== message);
    const landed = { ...state, net, log: [...state.log, message.record] };
    const what = `${message.record.kind} of ${name} lands at ${offset}`;
    const steps: Step[] = [[`${what}, answer lost`, landed]];
    const writer = state.writers[message.writer] as Writer;
    if (writer.at === 'waiting' && JSON.stringify(writer.sent) === JSON.stringify(message.record)) {
      const expected = offset === message.record.at || !this.rules.checkAnsweredOffset;
      steps.push([what, withWriter(landed, message.writer, expected ? answered(writer, offset) : { at: 'down' })]);
    }
    return steps;
  }

  /** The sink takes what the log counts from the place it stored; a crash loses all that is not stored. */
  private sinkSteps(state: State): Step[] {
    const { applied } = this.fold(state.log);
    const { stored, applied: done } = state.sink;
    const next = applied[stored];
    const steps: Step[] = [];
    if (next === undefined) return steps;
    if (this.rules.sinkPositionInTransaction) {
      steps.push([`sink applies ${next}`, { ...state, sink: { applied: [...done, next], stored: stored + 1 } }]);
    } else if (done.length < 3) {
      steps.push([
        `sink applies ${next}, dies before its position`,
        { ...state, sink: { applied: [...done, next], stored } },
      ]);
      steps.push([
        `sink applies ${next}, then its position`,
        { ...state, sink: { applied: [...done, next], stored: stored + 1 } },
      ]);
    }
    return steps;
  }
}

function startState({ slotMade }: Bounds): State {
  const made: LogRecord[] = [
    { kind: 'epoch', epoch: 1, at: 0 },
    { kind: 'slot', epoch: 1, at: 1, created: false },
    { kind: 'slot', epoch: 1, at: 2, created: true },
  ];
  return {
    log: slotMade ? made : [],
    net: [],
    slot: slotMade ? { confirmed: Number(commitLsn(1)) } : null,
    session: null,
    writers: [{ at: 'down' }, { at: 'down' }],
    epochs: slotMade ? 1 : 0,
    sink: { applied: [], stored: 0 },
  };
}

function answered(writer: Extract<Writer, { at: 'waiting' }>, offset: number): Writer {
  const attempt = { ...writer.attempt, known: offset + 1 };
  if (writer.then === 'stream') return { at: 'stream', attempt, stream: writer.stream as Stream };
  return { at: writer.then, attempt };
}

/** What is in flight has no order: one state for all of them. */
function sorted(net: readonly InFlight[]): InFlight[] {
  return net.length < 2 ? [...net] : [...net].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

function firstStream(): Stream {
  return { tx: 1, part: 1, position: 1, received: Number(commitLsn(1)) };
}

function withWriter(state: State, i: number, writer: Writer): State {
  return { ...state, writers: i === 0 ? [writer, state.writers[1]] : [state.writers[0], writer] };
}

function trace(queue: readonly { from: number; action: string }[], end: number): string[] {
  const actions: string[] = [];
  for (let i = end; i > 0; ) {
    const entry = queue[i] as { from: number; action: string };
    actions.unshift(entry.action);
    i = entry.from;
  }
  return actions;
}
