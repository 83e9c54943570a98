import { ownerExists, rotationOf } from "./owners.ts";
import { serviceRef } from "../catalog/store.ts";
import { Tier } from "../catalog/model.ts";
import { firstCommit } from "../golden-paths/first-commit.ts";
import { findGoldenPath } from "../golden-paths/load.ts";
import { renderGoldenPath } from "../golden-paths/render.ts";
import type { InfraPlan } from "../infra/contract.ts";
import { sha256 } from "../kernel/digest.ts";
import { bytesOf, gitTreeId, type TreeFile } from "../kernel/file-tree.ts";
import type { Sql } from "../kernel/sql.ts";
import type { Plan, PlannedChange } from "../plans/model.ts";
import type { PlanOrder } from "../plans/routes.ts";
import type { Basis } from "../plans/staleness.ts";
import { judge, type Judgement } from "../policy/judge.ts";
import type { Grounds } from "../policy/store.ts";
import type { EnvironmentDefinition } from "../releases/environments.ts";
import type { ServicePayload } from "./create-service.ts";
import { answerMissing, generatedBroken, nameTaken } from "./faults.ts";
import type { Parts } from "./parts.ts";
import { readRepository, type RepositoryFacts } from "./read-repository.ts";
import { reliefsFor } from "./reliefs.ts";
import { infrastructureFacts, policySubject } from "./subject.ts";

const BRANCH = "cairn/first-change";

/** A plan with the judgements in it, and what each was made on. */
export interface PlannedService {
  plan: Plan;
  judged: { grounds: Grounds; judgement: Judgement }[];
}

/** Everything that creating this service would do, as one document. */
export async function planService(parts: Parts, order: PlanOrder): Promise<PlannedService> {
  const goldenPath = await findGoldenPath(parts.goldenPaths, order.goldenPath);
  const name = String(order.answers.service_name ?? "");
  const rendered = await renderGoldenPath(goldenPath, order.answers, {
    platform_url: parts.publicUrl,
    repository_url: parts.forge.cloneUrl(name || "unnamed"),
  });
  const { service_name, owner_team, description } = rendered.answers;
  if (typeof service_name !== "string" || service_name === "") throw answerMissing(order.goldenPath, "service_name");
  if (typeof owner_team !== "string" || owner_team === "") throw answerMissing(order.goldenPath, "owner_team");
  const tier = goldenPath.offer?.tier ?? Tier.enum["tier-3"];
  const about = { name: service_name, owner: owner_team, description: typeof description === "string" ? description : "", tier };
  const first = firstCommit(about);
  const byPath = new Map(rendered.files.map((file) => [file.path, file]));
  const facts = await readRepository([...byPath.keys()], async (path) => byPath.get(path)?.content);
  if (facts.problems.length > 0 || !facts.intent || !facts.contract) throw generatedBroken(order.goldenPath, facts.problems);

  const payload: ServicePayload = {
    service: service_name,
    owner: owner_team,
    tier,
    description: about.description,
    goldenPath: { name: goldenPath.template.name, version: goldenPath.template.version, digest: goldenPath.digest },
    answers: rendered.answers as ServicePayload["answers"],
    firstCommit: first,
    files: rendered.files,
    firstTree: gitTreeId(first),
    tree: gitTreeId(rendered.files),
    branch: BRANCH,
  };
  const basis = await serviceBasis(parts, payload);
  if (basis.name !== FREE) throw nameTaken(service_name, basis.name ?? "");
  const environments = route(parts, facts);
  const infra = new Map<string, InfraPlan>();
  for (const { name: environment } of environments)
    infra.set(
      environment,
      await parts.infra.plan({ service: service_name, environment, owner: owner_team, intent: facts.intent, patches: facts.patches }),
    );
  const known = await ownerExists(parts.db, owner_team);
  const rotation = await rotationOf(parts.db, owner_team);
  const now = parts.clock.now();
  const reliefs = await reliefsFor(parts.db, service_name, now);
  const costs = [...infra.values()].map((plan) => plan.cost);
  const judged = environments.map((environment) => {
    const planned = infra.get(environment.name);
    const subject = policySubject(facts, {
      point: "plan",
      environment: { name: environment.name, production: environment.production, mode: environment.mode },
      repository: service_name,
      ownerExists: known,
      rotation,
      manifests: planned?.manifests ?? [],
      infrastructure: planned ? infrastructureFacts(planned) : null,
    });
    return { grounds: { subject, bundle: parts.policies, reliefs }, judgement: judge(subject, parts.policies, now, reliefs) };
  });
  const plan: Plan = {
    kind: "create-service",
    about: serviceRef(service_name),
    title: `Create ${service_name} from ${goldenPath.template.name} ${goldenPath.template.version}`,
    basis,
    changes: [...madeBy(payload, facts), ...environments.flatMap(({ name: environment }) => resourcesOf(infra.get(environment)))],
    cost: {
      monthly: costs.some((cost) => cost.monthly === null) ? null : costs.reduce((sum, cost) => sum + (cost.monthly ?? 0), 0),
      currency: costs[0]?.currency ?? "EUR",
      unknown: [...new Set(costs.flatMap((cost) => cost.unknown))],
    },
    decisions: judged.map(({ grounds, judgement: { point, outcome, results } }) => ({
      point,
      environment: grounds.subject.environment?.name ?? null,
      outcome,
      results,
    })),
    rollout: environments.map((environment) => rolloutOf(parts, environment, tier)),
    unknowns: [
      "The artifact's digest: CI builds it after the merge.",
      "Whether its tests pass: CI runs them on the change request and again after the merge.",
      "The ports it answers at: given when it first runs in an environment, and kept from then on.",
      ...new Set([...infra.values()].flatMap((plan) => plan.unknowns)),
    ],
    rollback:
      "If a step fails, the repository is removed and the name is free again. Once the change request is open, closing it leaves a repository with one small commit.",
    payload: payload as unknown as Record<string, unknown>,
  };
  return { plan, judged };
}

const FREE = "free";

/** What the plan rests on, as it is now. */
export async function serviceBasis(parts: Parts, payload: ServicePayload): Promise<Basis> {
  const goldenPath = await findGoldenPath(parts.goldenPaths, payload.goldenPath.name).catch(() => undefined);
  return {
    name: await holderOf(parts.db, payload.service),
    owner: (await ownerExists(parts.db, payload.owner)) ? "in the catalog" : "unknown",
    // Applying writes the stored files: a template that was edited since does not make the plan wrong, a path that was withdrawn does.
    "golden path": goldenPath ? payload.goldenPath.name : "withdrawn",
    policies: parts.policies.digest,
    environments: parts.environments.digest,
  };
}

async function holderOf(db: Sql, service: string): Promise<string> {
  const row = await db
    .selectFrom("catalog_entity")
    .select(["owner_ref", "source"])
    .where("ref", "=", serviceRef(service))
    .executeTakeFirst();
  return row ? `held by ${row.owner_ref ?? "nobody"}` : FREE;
}

/** The environments that the contract names, in the platform's order. */
export const route = (parts: Pick<Parts, "environments">, facts: Pick<RepositoryFacts, "contract">): EnvironmentDefinition[] =>
  parts.environments.environments.filter(({ name }) => facts.contract?.environments.includes(name));

function madeBy(payload: ServicePayload, facts: RepositoryFacts): PlannedChange[] {
  const { service, files, firstTree, tree, branch } = payload;
  const change = (kind: PlannedChange["kind"], id: string, detail: string): PlannedChange => ({
    kind,
    action: "create",
    id,
    environment: null,
    detail,
  });
  return [
    change("repository", service, `first commit with ${payload.firstCommit.map((file) => file.path).join(", ")} (tree ${firstTree})`),
    change("change_request", `${service}/1`, `${branch} with ${files.length} files (tree ${tree})`),
    ...facts.documents.map((document) =>
      change("entity", `${document.kind.toLowerCase()}:default/${document.metadata.name}`, document.metadata.description ?? ""),
    ),
    ...files.map((file: TreeFile) => change("file", file.path, sha256(bytesOf(file)))),
  ];
}

const resourcesOf = (plan: InfraPlan | undefined): PlannedChange[] =>
  (plan?.resources ?? []).map((resource) => ({
    kind: "resource",
    action: resource.action,
    id: resource.address,
    environment: plan?.environment ?? null,
    detail: resource.because,
  }));

function rolloutOf(parts: Parts, environment: EnvironmentDefinition, tier: Tier): Plan["rollout"][number] {
  const rules = parts.environments.tiers[tier];
  if (environment.judgedBy === "smoke") return { environment: environment.name, stepsPercent: [100], gates: ["health", "smoke test"] };
  return {
    environment: environment.name,
    stepsPercent: rules.canary.stepsPercent,
    gates: ["health", "canary against the stable revision (the first release has none)"],
  };
}
