import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { Tier } from "../catalog/model.ts";
import { environmentNamed, loadEnvironments } from "./environments.ts";
import { rulesFor } from "./rollout.ts";

const shipped = join(import.meta.dirname, "../../library/environments");
const folder = await mkdtemp(join(tmpdir(), "cairn-environments-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The shipped files with one passage replaced. */
async function changed(file: "environments.yaml" | "tiers.yaml", from: string, to: string) {
  for (const name of ["environments.yaml", "tiers.yaml"]) {
    const text = await readFile(join(shipped, name), "utf8");
    if (name === file) expect(text).toContain(from);
    await writeFile(join(folder, name), name === file ? text.replace(from, to) : text);
  }
  return loadEnvironments(folder);
}

test.each([
  ["environments.yaml", "name: staging", "name: dev", "dev stands there twice"],
  ["environments.yaml", "judgedBy: canary", "judgedBy: luck", "judgedBy"],
  ["environments.yaml", "environments:", "environments: [", "the file"],
  ["tiers.yaml", "[5, 25, 50, 100]", "[5, 25, 50]", "steps rise and end at 100"],
  ["tiers.yaml", "[5, 25, 50, 100]", "[25, 5, 100]", "steps rise and end at 100"],
  ["tiers.yaml", "tolerance: 0.01", "tolerance: 0.06", "tolerance lies below margin"],
  ["tiers.yaml", "unknownAtDeadline: hold", "unknownAtDeadline: maybe", "unknownAtDeadline"],
  ["tiers.yaml", "  tier-2:", "  tier-4:", "tiers"],
] as const)("loadEnvironments() refuses %s with %s replaced by %s", async (file, from, to, because) => {
  await expect(changed(file, from, to)).rejects.toMatchObject({
    code: "releases.environments_broken",
    message: expect.stringContaining(because),
  });
});

test("loadEnvironments() gives the environments in order, every tier, and a digest that follows the content", async () => {
  const environments = await loadEnvironments(shipped);
  expect(environments.environments.map(({ name, production }) => [name, production])).toEqual([
    ["dev", false],
    ["staging", false],
    ["production", true],
  ]);
  expect(Object.keys(environments.tiers).sort()).toEqual([...Tier.options].sort());
  expect((await changed("tiers.yaml", "alpha: 0.05", "alpha: 0.01")).digest).not.toBe(environments.digest);
  expect(() => environmentNamed(environments, "moon")).toThrow(
    expect.objectContaining({ next: expect.stringContaining("dev, staging, production") }),
  );
});

test("an environment's own deadline goes before the tier's", async () => {
  const environments = await changed("environments.yaml", "judgedBy: canary", "judgedBy: canary\n    deadlineSeconds: 30");
  const rules = rulesFor(environments, { environment: "production", tier: "tier-1", hasBaseline: true, slowSeconds: null });
  expect(rules).toMatchObject({ deadlineSeconds: 30, unknownAtDeadline: "roll_back", stepsPercent: [5, 25, 50, 100] });
});
