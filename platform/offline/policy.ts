import { lstat, readdir, readFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { strictest } from "../catalog/tiers.ts";
import { planInfra } from "../infra/plan.ts";
import { digestOf } from "../kernel/digest.ts";
import { Fault, isFault, messageOf } from "../kernel/faults.ts";
import { bundleOf } from "../policy/bundle.ts";
import { EVALUATOR } from "../policy/evaluator.ts";
import { judge, type Judgement } from "../policy/judge.ts";
import { replayed, RuleBundle, type Replayed } from "../policy/portable.ts";
import { readRepository } from "../workflows/read-repository.ts";
import { changeSubject, ownerRef } from "../workflows/subject.ts";

/** What policy says of a checkout; `judgement` is null where that is not known. */
export interface PolicyCheck {
  outcome: "allow" | "warn" | "deny" | "unknown";
  /** Why it is unknown. */
  because: string;
  judgement: Judgement | null;
  /** When the bundle was taken: groups and exceptions are of that time. */
  takenAt: Date | null;
}

const unknown = (because: string): PolicyCheck => ({ outcome: "unknown", because, judgement: null, takenAt: null });

/**
 * Judges a checkout as the platform judges a change request of it, by a bundle from `cairn policies pull`. Without one it is unknown, never passed.
 * Throws `offline.bundle_unreadable` and `offline.bundle_differs`.
 */
export async function checkPolicy(folder: string, bundle: RuleBundle | undefined, now: Date): Promise<PolicyCheck> {
  if (!bundle) return unknown("there are no rules here: cairn policies pull, or name a bundle by --bundle");
  if (bundle.evaluator !== EVALUATOR) return unknown(`the bundle is for ${bundle.evaluator}, and this is ${EVALUATOR}: pull it again`);
  const root = resolve(folder);
  const patches = (await readdir(join(root, "k8s")).catch(() => [])).map((name) => `k8s/${name}`);
  const facts = await readRepository(patches, (path) => textOf(join(root, path)));
  const { intent, name: service } = facts;
  const known = service === null ? undefined : bundle.tiers[service];
  const tier = known === undefined ? facts.tier : strictest([facts.tier, known]);
  if (!intent || !facts.contract) return unknown("score.yaml or cairn.yaml is missing or can't be read, so that nothing can be judged");
  const owner = facts.owner ?? "";
  try {
    const subject = changeSubject(
      { ...facts, tier },
      {
        environments: bundle.environments,
        // What is there already and what it costs changes the plan, not the objects.
        manifestsFor: (environment) =>
          planInfra(intent, [], { service: service ?? "", environment, owner: ownerName(owner), patches: facts.patches }, NO_PRICES)
            .manifests,
        repository: service ?? basename(root),
        ownerExists: bundle.groups.includes(ownerRef(owner)),
        rotation: bundle.rotations[ownerRef(owner)] ?? null,
        change: null,
      },
    );
    const judgement = judge(subject, bundleOf(bundle.rules), now, bundle.reliefs);
    return { outcome: judgement.outcome, because: "", judgement, takenAt: bundle.takenAt };
  } catch (error) {
    if (!isFault(error)) throw error;
    return unknown(error.message);
  }
}

const NO_PRICES = { currency: "EUR", monthly: {} };

const ownerName = (owner: string): string => owner.slice(owner.lastIndexOf("/") + 1).replace(/^group:/, "");

/** Reads a bundle of rules, and refuses one whose rules are not those of its digest, or not those that were asked for. */
export async function readRuleBundle(path: string, digest?: string): Promise<RuleBundle> {
  const parsed = RuleBundle.safeParse(await json(path));
  if (!parsed.success) throw unreadable(path, "it is no bundle of cairn policies pull");
  const [holds, says] = [digestOf(parsed.data.rules), digest ?? parsed.data.digest];
  if (holds !== says || holds !== parsed.data.digest)
    throw new Fault(
      "invalid",
      "offline.bundle_differs",
      `${path} holds the rules ${holds}, not ${says}`,
      "Pull it again: cairn policies pull",
    );
  return parsed.data;
}

/** Makes a decision again from a file that `cairn replay` or the API gave. Throws `offline.bundle_unreadable`. */
export async function replayFile(path: string): Promise<Replayed> {
  const content = await json(path);
  try {
    return replayed(content);
  } catch (error) {
    throw unreadable(path, isFault(error) ? error.message : "it is no bundle of a decision");
  }
}

async function json(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw unreadable(path, messageOf(error));
  }
}

const unreadable = (path: string, because: string) =>
  new Fault(
    "invalid",
    "offline.bundle_unreadable",
    `${path} can't be read: ${because}`,
    "Get it anew: cairn policies pull, or cairn replay DECISION --out FILE.",
  );

/** Of a file of the checkout, as the forge has it: what is no file is not there. */
async function textOf(path: string): Promise<string | undefined> {
  const found = await lstat(path).catch(() => undefined);
  return found?.isFile() ? readFile(path, "utf8") : undefined;
}
