import type pg from 'pg';
import { isSluiceError } from '../../../shared/errors.ts';
import type { Kafka } from '../../../shared/kafka/interfaces.ts';
import { openKafka } from '../../../shared/kafka/kafka.ts';
import { connect, type PostgresEndpoint } from '../../../shared/postgres/connection.ts';
import { postgresFailure } from '../../../shared/postgres/failure.ts';
import type { Task } from '../../../shared/task/task.ts';
import { type DestinationState, readDestinationState } from '../bookkeeping/destination-state.ts';
import { SinkRequest } from '../bookkeeping/requests.ts';
import { ManifestView } from './manifest-view.ts';
import { readEstimates, readSourceState, type SourceState } from './source-state.ts';
import { type Observation, type TaskStatus, taskStatus } from './task-status.ts';

/**
 * Looks at a task from outside, again and again over the same connections: the manifest, the slot at the source, the
 * bookkeeping at the destination. A place that cannot be looked at is named, the others are shown all the same.
 */
export class Observer {
  readonly #task: Task;
  readonly #kafka: Kafka;
  #manifest: ManifestView | null = null;
  #source: pg.Client | null = null;
  #destination: pg.Client | null = null;
  #estimates = new Map<string, number | null>();

  constructor(task: Task) {
    this.#task = task;
    this.#kafka = openKafka(task.kafka, `sluice-control-${task.name}`);
  }

  async status(signal: AbortSignal): Promise<TaskStatus> {
    return taskStatus(this.#task, await this.look(signal));
  }

  async look(signal: AbortSignal): Promise<Observation> {
    const unavailable: { what: string; message: string }[] = [];
    const attempt = async <T>(what: string, act: () => Promise<T>): Promise<T | null> => {
      try {
        return await act();
      } catch (error) {
        signal.throwIfAborted();
        unavailable.push({ what, message: isSluiceError(error) ? error.message : postgresFailure(error, {}).message });
        return null;
      }
    };
    const manifest = await attempt('Kafka', () => this.#readManifest(signal));
    const [source, destination] = await Promise.all([
      attempt('source', () => this.#readSource()),
      attempt('destination', () => this.#readDestination()),
    ]);
    return {
      now: Date.now(),
      manifest: manifest?.state ?? null,
      source,
      estimates: this.#estimates,
      destination: destination?.state ?? null,
      request: destination?.request ?? null,
      unavailable,
    };
  }

  /** Takes back requests of commands that were killed. */
  async sweepRequests(): Promise<void> {
    if (this.#destination) await new SinkRequest(this.#destination, this.#task).sweep();
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.#manifest?.close(), this.#source?.end(), this.#destination?.end()]);
  }

  async #readManifest(signal: AbortSignal): Promise<ManifestView | null> {
    try {
      this.#manifest ??= await ManifestView.open(this.#kafka, this.#task.name);
      await this.#manifest?.refresh(signal);
      return this.#manifest;
    } catch (error) {
      // What it has folded stays true, but a topic that was deleted and made again is another manifest.
      await this.#manifest?.close().catch(() => undefined);
      this.#manifest = null;
      throw error;
    }
  }

  async #readSource(): Promise<SourceState> {
    this.#source ??= await open(this.#task.source.endpoint, 'source');
    try {
      const tables = this.#manifest?.state.epoch?.tables ?? [];
      if (tables.length !== this.#estimates.size) this.#estimates = await readEstimates(this.#source, tables);
      return await readSourceState(this.#source, this.#task.name);
    } catch (error) {
      this.#source = await discard(this.#source);
      throw error;
    }
  }

  async #readDestination(): Promise<{ state: DestinationState; request: Observation['request'] }> {
    this.#destination ??= await open(this.#task.destination, 'destination');
    try {
      const state = await readDestinationState(this.#destination, this.#task);
      const request = state.sink ? await new SinkRequest(this.#destination, this.#task).read() : null;
      return { state, request };
    } catch (error) {
      this.#destination = await discard(this.#destination);
      throw error;
    }
  }
}

function open(endpoint: PostgresEndpoint, end: 'source' | 'destination'): Promise<pg.Client> {
  return connect(endpoint, { applicationName: 'sluice control', end });
}

async function discard(client: pg.Client): Promise<null> {
  await client.end().catch(() => undefined);
  return null;
}
