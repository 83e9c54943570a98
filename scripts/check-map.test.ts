import { expect, test } from "vitest";
import { breaches, importsOf } from "./check-map.ts";

test.each([
  ["platform/kernel/sql.ts", "platform/ledger/store.ts", "not the other way"],
  ["platform/catalog/store.ts", "platform/identity/store.ts", "its own"],
  ["platform/infra/plan.ts", "platform/releases/model.ts", "not the other way"],
  ["platform/releases/store.ts", "platform/workflows/roll-out.ts", "not the other way"],
  ["platform/catalog/store.ts", "platform/testing/database.ts", "only tests"],
  ["portal/src/api.ts", "platform/catalog/model.ts", "may not import"],
  ["cli/main.ts", "platform/catalog/store.ts", "may not import"],
  ["agent/main.ts", "platform/catalog/model.ts", "may not import"],
  ["cel/index.ts", "platform/kernel/digest.ts", "may not import"],
])("breaches() refuses that %s imports %s", (from, to, why) => {
  expect(breaches(from, to)).toContain(why);
});

test.each([
  ["platform/ledger/store.ts", "platform/kernel/sql.ts"],
  ["platform/releases/rollout.ts", "platform/runtime/contract.ts"],
  ["platform/workflows/deliver-commit.ts", "platform/catalog/store.ts"],
  ["agent/main.ts", "platform/secrets/local/store.ts"],
  ["cli/main.ts", "platform/offline.ts"],
])("breaches() allows that %s imports %s", (from, to) => {
  expect(breaches(from, to)).toBeUndefined();
});

test("importsOf() sees every form of import of our own files, and none of others'", () => {
  const text = `import { a } from "./a.ts";\nimport type {\n  B,\n} from "../ledger/b.ts";\nexport * from "./c.ts";\nimport "./d.ts";\nconst e = await import("./e.ts");\nimport z from "zod";\nimport f from "@cairn/agent/client.ts";\n`;
  expect(importsOf("platform/kernel/x.ts", text).toSorted()).toEqual(
    [
      "agent/client.ts",
      "platform/kernel/a.ts",
      "platform/kernel/c.ts",
      "platform/kernel/d.ts",
      "platform/kernel/e.ts",
      "platform/ledger/b.ts",
    ].toSorted(),
  );
});
