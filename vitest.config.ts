import { defineConfig } from 'vitest/config';
import { filesUnderTest } from './test/versions/core.ts';

/** TEST_PATIENCE: times are multiplied by it, where everything is slower. */
const seconds = (count: number) => count * 1000 * Number(process.env['TEST_PATIENCE'] ?? 1);

/** Projects with real servers, one after the other: their files share the servers, two files at a time. */
function onServers(
  name: string,
  groupOrder: number,
  testTimeout: number,
  { include = [`test/${name}/**/*.test.ts`], setup = 'test/support/global-setup.ts' } = {},
) {
  return {
    extends: true as const,
    test: {
      name,
      include,
      globalSetup: [setup],
      maxWorkers: 2,
      testTimeout,
      hookTimeout: seconds(180),
      teardownTimeout: seconds(60),
      sequence: { groupOrder },
    },
  };
}

export default defineConfig({
  test: {
    exclude: ['**/node_modules/**', 'dist/**', '.local/**'],
    pool: 'forks',
    allowOnly: !process.env['CI'],
    passWithNoTests: true,
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'], sequence: { groupOrder: 0 } } },
      onServers('integration', 1, seconds(120)),
      onServers('fault', 2, seconds(300)),
      onServers('e2e', 3, seconds(900)),
      onServers('versions', 4, seconds(900), { include: [...filesUnderTest], setup: 'test/versions/setup.ts' }),
    ],
  },
});
