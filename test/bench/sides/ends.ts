import type { Cleanup } from '../../support/cleanup.ts';
import type { TestDatabase } from '../../support/database.ts';
import type { Bench } from '../bench.ts';
import { NativeReplication } from './native.ts';
import { SluiceTask } from './sluice-task.ts';

export interface EndsOptions {
  /** Of databases, slots and the task. */
  readonly name: string;
  /** Statements; they hold the marker's table. */
  readonly tables: string;
  fill(source: TestDatabase): Promise<void>;
  /** Default: all of schema public. */
  readonly nativeTables?: string;
  readonly sluiceArguments?: readonly string[];
}

/** A source with two destinations that hold the same rows: native replication's and Sluice's. Neither runs. */
export interface Ends {
  readonly bench: Bench;
  readonly source: TestDatabase;
  readonly native: NativeReplication;
  readonly task: SluiceTask;
}

export async function prepareEnds(bench: Bench, cleanup: Cleanup, options: EndsOptions): Promise<Ends> {
  const { tables, nativeTables, sluiceArguments = [] } = options;
  const { servers } = bench;
  const name = options.name.replaceAll('-', '_');
  const source = await servers.sourceDatabase(name, cleanup);
  await source.query(tables);
  await options.fill(source);
  await source.query('VACUUM ANALYZE');

  const nativeDestination = await servers.destinationDatabase(`${name}_native`, cleanup);
  await nativeDestination.query(tables);
  const publication = nativeTables === undefined ? {} : { tables: nativeTables };
  const native = await NativeReplication.create({
    source,
    destination: nativeDestination,
    name: `native_${name}`,
    ...publication,
  });
  cleanup.defer(() => native.drop());
  await native.synchronised();
  await native.disable();

  const destination = await servers.destinationDatabase(name, cleanup);
  const task = new SluiceTask({ servers, source, destination, name: `bench-${options.name}`, args: sluiceArguments });
  await task.migrate();
  cleanup.defer(() => task.release());
  for (const end of [nativeDestination, destination]) await end.query('VACUUM ANALYZE');
  return { bench, source, native, task };
}
