import type { TestProject } from 'vitest/node';
import { setup as setupShared } from '../support/global-setup.ts';
import { ownPostgres } from '../support/own-servers.ts';
import { pairUnderTest } from './core.ts';

/** The shared Kafka and registry, with a source and a destination of the versions under test. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const endShared = await setupShared(project);
  const { source, destination } = pairUnderTest;
  const [from, to] = await Promise.all([ownPostgres({ major: source }), ownPostgres({ major: destination })]);
  const { servers } = project.getProvidedContext();
  project.provide('servers', { ...servers, source: from.url, destination: to.url });
  return async () => {
    await Promise.all([from[Symbol.asyncDispose](), to[Symbol.asyncDispose]()]);
    await endShared();
  };
}
