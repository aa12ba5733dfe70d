import type { TestDatabase } from '../../support/database.ts';

/** Said by the sink when all first reads are loaded and everything that waits for that is made. */
export async function isStreaming(destination: TestDatabase): Promise<boolean> {
  const phase = await destination.value('SELECT phase FROM sluice.sink').catch(() => null);
  return phase === 'incremental data migration';
}
