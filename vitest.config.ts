import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    exclude: ['**/node_modules/**', 'dist/**', '.local/**'],
    projects: [{ extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'] } }],
  },
});
