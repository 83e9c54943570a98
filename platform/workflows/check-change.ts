import { examine } from "../catalog/store.ts";
import type { ChangeRequest, Check } from "../forge/contract.ts";
import { workflow } from "../orchestrator/contract.ts";
import { isConnectionLoss } from "../orchestrator/durable.ts";
import { judge } from "../policy/judge.ts";
import { denies, type RuleResult } from "../policy/model.ts";
import { keep } from "../policy/store.ts";
import { isFault, messageOf } from "../kernel/faults.ts";
import { transact } from "../kernel/sql.ts";
import { ownerExists, rotationOf } from "./owners.ts";
import type { Parts } from "./parts.ts";
import { route } from "./plan-service.ts";
import { reliefsFor } from "./reliefs.ts";
import { readRepository, type RepositoryFacts } from "./read-repository.ts";
import { changeFacts, changeSubject } from "./subject.ts";
import { changeTier } from "./tiers.ts";

/** One head of a change request. */
export interface Head {
  repository: string;
  number: number;
  head: string;
  /** Tells this check from an earlier one of the same head. */
  again?: string;
}

type Report = Omit<Check, "updatedAt">;
const CHECKS = ["descriptor", "policy", "ci"] as const;
const waiting = (name: string): Report => ({ name, state: "pending", summary: "has not reported yet", details: [], link: null });

/** Tells a change request what merging it would do: to the catalog, under the policies, in CI. Each check reports by itself; a check that can't be made is unknown, not passed. */
export const checkChange = workflow(
  "check change",
  () => ["announce the checks", "check the descriptor", "judge by policy", "build and test"],
  async (run, { repository, number, head, again }: Head, parts: Parts): Promise<{ states: string[] }> => {
    const { db, forge } = parts;
    await run.step("announce the checks", async () => {
      for (const name of CHECKS) await forge.setCheck(repository, head, waiting(name));
      return null;
    });

    /** What stands in the way of one check does not silence it, nor the checks after it: it reports that it could not be made. A database that hangs up says nothing of a check: it is made again. */
    const reported = async (name: (typeof CHECKS)[number], signal: AbortSignal, make: () => Promise<Report>): Promise<Check["state"]> => {
      const report = await make().catch((error: unknown): Report => {
        if (signal.aborted || isConnectionLoss(error)) throw error;
        parts.log.warn({ err: error, repository, number, check: name }, "a check could not be made");
        return {
          name,
          state: "unknown",
          summary: `could not be made: ${messageOf(error)}`,
          details: isFault(error) ? [error.next] : [],
          link: null,
        };
      });
      await forge.setCheck(repository, head, report);
      return report.state;
    };

    const descriptor = await run.step("check the descriptor", async ({ signal }) =>
      reported("descriptor", signal, async () => {
        const facts = await factsAt(parts, repository, head);
        const { diff, refusals } = await examine(db, { repository, documents: facts.documents });
        const wrong = [
          ...facts.problems.map((problem) => `${problem.file} ${problem.message}`),
          ...refusals.map((finding) => `${finding.where}: ${finding.message}`),
        ];
        if (facts.name !== null && facts.name !== repository)
          wrong.push(`catalog-info.yaml names the component ${facts.name}, but the repository is ${repository}`);
        const changes = [
          ...diff.added.map((ref) => `adds ${ref}`),
          ...diff.changed.map(({ ref, fields }) => `changes ${ref} (${fields.join(", ")})`),
          ...diff.removed.map((ref) => `removes ${ref}`),
          ...diff.relationsAdded.map(({ source, type, target }) => `adds: ${source} ${type} ${target}`),
          ...diff.relationsRemoved.map(({ source, type, target }) => `removes: ${source} ${type} ${target}`),
        ];
        const summary =
          wrong.length > 0
            ? (wrong[0] ?? "")
            : changes.length === 0
              ? "changes nothing in the catalog"
              : `${changes.length} ${changes.length === 1 ? "change" : "changes"} to the catalog`;
        return {
          name: "descriptor",
          state: wrong.length > 0 ? "failed" : "passed",
          summary,
          details: wrong.length > 0 ? wrong : changes,
          link: null,
        };
      }),
    );

    const policy = await run.step("judge by policy", async ({ signal }) =>
      reported("policy", signal, async () => {
        const facts = await factsAt(parts, repository, head);
        if (!facts.intent || !facts.contract) return unreadable;
        // Whoever makes a service less important is judged as what it was.
        const tier = await changeTier(db, forge, repository, head);
        return judged(parts, run.startedBy, { ...facts, tier }, await forge.change(repository, number));
      }),
    );

    const ci = await run.step(
      "build and test",
      async ({ signal }) =>
        reported("ci", signal, async () => {
          const id = [`ci-${repository}-${head.slice(0, 12)}-change`, again].filter(Boolean).join("-").slice(-120);
          await forge.setCheck(repository, head, {
            ...waiting("ci"),
            state: "running",
            summary: "builds and tests",
            link: `/api/ci-runs/${id}`,
          });
          const ended = await parts.ci.run({ id, repository, commit: head, purpose: "change" }, signal);
          const tests = ended.tests
            ? `${ended.tests.total - ended.tests.failed - ended.tests.skipped} of ${ended.tests.total} tests passed`
            : "no test has run";
          return {
            name: "ci",
            state: ended.state === "passed" ? "passed" : "failed",
            summary: ended.because ?? tests,
            details: ended.stages.filter((stage) => stage.state === "failed").map((stage) => `${stage.name}: ${stage.detail ?? "failed"}`),
            link: `/api/ci-runs/${id}`,
          };
        }),
      { timeoutSeconds: 3600 },
    );
    return { states: [descriptor, policy, ci] };
  },
);

const unreadable: Report = {
  name: "policy",
  state: "unknown",
  summary: "could not be judged: score.yaml or cairn.yaml can't be read",
  details: ["Mend what the descriptor check names; unknown is not a pass."],
  link: null,
};

/** The decision about a change request, made and kept. */
async function judged(parts: Parts, actor: string, facts: RepositoryFacts, change: ChangeRequest): Promise<Report> {
  const { db, clock, infra } = parts;
  const { name: service, intent, owner, patches } = facts;
  const manifests = new Map<string, Record<string, unknown>[]>();
  const notSet: string[] = [];
  if (service && intent)
    for (const { name: environment } of route(parts, facts)) {
      const plan = await infra.plan({ service, environment, owner: owner ?? "", intent, patches });
      manifests.set(environment, plan.manifests);
      for (const name of plan.missingSecrets)
        notSet.push(`The secret ${name} is not set for ${environment}: cairn secrets set ${service} ${name} --environment ${environment}`);
    }
  const subject = changeSubject(facts, {
    environments: parts.environments.environments,
    manifestsFor: (environment) => manifests.get(environment) ?? [],
    repository: change.repository,
    ownerExists: await ownerExists(db, owner ?? ""),
    rotation: await rotationOf(db, owner ?? ""),
    change: changeFacts(change),
    commit: change.head,
  });
  const now = clock.now();
  const grounds = { subject, bundle: parts.policies, reliefs: await reliefsFor(db, subject.service.name, now) };
  const decision = await transact(db, (tx) => keep(tx, clock, actor, grounds, judge(subject, parts.policies, now, grounds.reliefs)));
  // What denies comes first; what is only recorded stays in the decision.
  const open = decision.results
    .filter(({ outcome, mode }) => outcome !== "passed" && mode !== "audit")
    .toSorted((a, b) => Number(denies(b)) - Number(denies(a)));
  return {
    name: "policy",
    state: decision.outcome === "deny" ? "failed" : decision.outcome === "warn" || notSet.length > 0 ? "warned" : "passed",
    summary: open[0] ? `${open[0].rule}: ${open[0].message}` : (notSet[0] ?? `${decision.results.length} rules hold`),
    details: [
      ...open.map(
        (result) => `${result.rule} (${result.outcome.replaceAll("_", " ")}): ${result.message}. ${result.fix}${leaveFor(result)}`,
      ),
      ...notSet,
    ],
    link: `/api/decisions/${decision.id}`,
  };
}

/** By whose leave it goes on, or could. */
function leaveFor(result: RuleResult): string {
  if (result.relievedBy !== null) return ` It goes on by ${result.relievedBy}.`;
  return denies(result) ? ` An exception may be granted by ${result.exceptionsBy.join(", ") || "nobody"}.` : "";
}

/** What a repository says of its service at a commit. */
export async function factsAt(parts: Pick<Parts, "forge">, repository: string, commit: string): Promise<RepositoryFacts> {
  const files = await parts.forge.listFiles(repository, commit);
  let away: unknown;
  const facts = await readRepository(
    files.map((file) => file.path),
    (path) =>
      parts.forge.readFile(repository, commit, path).catch((error: unknown) => {
        if (isConnectionLoss(error) || (isFault(error) && error.kind === "unavailable")) away ??= error;
        throw error;
      }),
  );
  // That is no problem of the files: it is asked again.
  if (away !== undefined) throw away;
  return facts;
}
