import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { aSubject } from "../policy/a-subject.ts";
import { loadPolicies } from "../policy/bundle.ts";
import { proposedRules, tryRules } from "./try.ts";

const library = join(import.meta.dirname, "../../library/policies");
const present = await loadPolicies(library);
const now = new Date("2026-03-01T12:00:00.000Z");

/** A copy of one rule, edited. */
async function edited(rule: string, edit: (text: string) => string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "cairn-rule-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const copy = join(folder, rule);
  await cp(join(library, rule), copy, { recursive: true });
  const file = join(copy, "policy.yaml");
  await writeFile(file, edit(await readFile(file, "utf8")));
  return copy;
}

test("proposedRules() refuses what is no rule, naming it", async () => {
  await expect(proposedRules("/nowhere", present.document)).rejects.toMatchObject({ code: "policy.broken" });
  const broken = await edited("not-deprecated", (text) => text.replace("object.service.lifecycle != ", "object.service.lifecycl != "));
  await expect(proposedRules(broken, present.document)).rejects.toThrow(/not-deprecated.*lifecycl/);
});

test("tryRules() says of what runs what other rules would refuse, and what stays as it is", async () => {
  const stricter = await edited("not-deprecated", (text) => text.replace('!= "deprecated"', 'in ["production"]'));
  const proposed = await proposedRules(stricter, present.document);
  expect(proposed.rules.length).toBe(present.rules.length);
  const running = [aSubject({ service: { lifecycle: "production" } }), aSubject({ service: { lifecycle: "experimental" } })];
  const tried = tryRules(running, { present, proposed, reliefs: [], now });
  expect(tried).toMatchObject([
    { service: "orders", environment: "production", today: "allow", proposed: "allow", answers: [] },
    {
      service: "orders",
      environment: "production",
      today: "allow",
      proposed: "deny",
      answers: [{ rule: "not-deprecated", outcome: "denied" }],
    },
  ]);
  const same = tryRules(running, { present, proposed: await proposedRules(library, present.document), reliefs: [], now });
  expect(same.every(({ today, proposed: after, answers }) => today === after && answers.length === 0)).toBe(true);
});
