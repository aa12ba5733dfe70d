import { ManifestView } from '../../../services/control/observe/manifest-view.ts';
import { openKafka } from '../../../shared/kafka/kafka.ts';
import { parseLsn } from '../../../shared/postgres/lsn.ts';
import { resolveTask } from '../../../shared/task/resolve.ts';
import type { BenchServers } from '../servers.ts';

/** Follows a task's manifest, to see when it lists all that was committed below an LSN. */
export class ManifestEnd implements AsyncDisposable {
  readonly #view: ManifestView;

  private constructor(view: ManifestView) {
    this.#view = view;
  }

  /** Reads what stands there already. */
  static async open({ brokers, registry }: BenchServers, task: string): Promise<ManifestEnd> {
    const [source, destination] = ['a', 'b'].map((name) => ({ url: `postgresql://nobody@127.0.0.1:1/${name}` }));
    const kafka = { brokers: brokers.split(','), registry: { url: registry } };
    const { kafka: settings } = await resolveTask({ name: task, source, destination, kafka }, {});
    const view = await ManifestView.open(openKafka(settings, 'sluice-bench'), task);
    if (!view) throw new Error(`task ${task} has no manifest`);
    await view.refresh(new AbortController().signal);
    return new ManifestEnd(view);
  }

  async lists(lsn: string): Promise<boolean> {
    await this.#view.refresh(new AbortController().signal);
    return this.#view.state.lsn >= parseLsn(lsn);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#view.close();
  }
}
