import { defineConfig } from "vitest/config";

const everywhere = { pool: "forks" as const, testTimeout: 60_000, hookTimeout: 120_000, expect: { poll: { timeout: 30_000 } } };
const skip = ["**/node_modules/**", "library/golden-paths/**/skeleton/**"];

/** `pure` needs nothing but Node; `platform` runs against a real PostgreSQL that platform/testing/cluster.ts starts once; `whole` starts whole platforms. */
export default defineConfig({
  test: {
    projects: [
      { test: { ...everywhere, name: "pure", include: ["{cel,api,scripts}/**/*.test.ts"], exclude: skip } },
      {
        test: {
          ...everywhere,
          name: "platform",
          include: ["{platform,agent,cli,library}/**/*.test.ts"],
          exclude: skip,
          globalSetup: ["platform/testing/cluster.ts"],
        },
      },
      { test: { ...everywhere, name: "whole", include: ["e2e/**/*.test.ts"], exclude: skip, testTimeout: 600_000, hookTimeout: 300_000 } },
      // Long, and not among the ordinary tests: npm run test:crash.
      {
        test: { ...everywhere, name: "crash", include: ["e2e/**/*.walk.ts"], exclude: skip, testTimeout: 3_600_000, hookTimeout: 300_000 },
      },
    ],
  },
});
