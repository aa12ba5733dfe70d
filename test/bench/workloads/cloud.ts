import { CHANGES_PER_CYCLE, cloudTables, fillCloud, runCloud } from '../load/cloud.ts';
import { backlogWorkload } from './backlog.ts';

const CYCLES = 100_000;

export const cloud = backlogWorkload({
  name: 'cloud',
  title: 'The reference shape of cloud services',
  tables: cloudTables,
  describe: ({ scaled }) =>
    `${scaled(CYCLES) * CHANGES_PER_CYCLE} changes of 20 tables with primary keys, rows of 1 KB, two changes a transaction, ` +
    'insert : update : delete = 3 : 1 : 2',
  fill: fillCloud,
  async generate(source, { scaled }) {
    await runCloud(source, scaled(CYCLES));
    return scaled(CYCLES) * CHANGES_PER_CYCLE;
  },
});
