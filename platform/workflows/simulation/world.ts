import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { MockAgent, setGlobalDispatcher, type Dispatcher } from "undici";
import type { Tier } from "../../catalog/model.ts";
import type { Ci, CiRun } from "../../ci/contract.ts";
import { aBuilder, aProvenance, anSbom, aScan, aTestResult } from "../../evidence/fixture.ts";
import { signerOf } from "../../evidence/signer.ts";
import { file } from "../../evidence/store.ts";
import { objectId } from "../../forge/commit-object.ts";
import type { ChangeRequest, Forge } from "../../forge/contract.ts";
import { localInfra } from "../../infra/local/infra.ts";
import { sha256, type Digest } from "../../kernel/digest.ts";
import { Fault } from "../../kernel/faults.ts";
import { silentLog } from "../../kernel/log.ts";
import { transact, type Db } from "../../kernel/sql.ts";
import { record } from "../../ledger/store.ts";
import { loadPolicies } from "../../policy/bundle.ts";
import { loadEnvironments } from "../../releases/environments.ts";
import { LATENCY_BOUNDS_SECONDS, type Reading, type Runtime, type Target } from "../../runtime/contract.ts";
import type { SecretStore } from "../../secrets/contract.ts";
import type { TestClock } from "../../testing/clock.ts";
import type { Parts } from "../parts.ts";
import { Death } from "./scheduler.ts";

const library = join(import.meta.dirname, "../../../library");
const [policies, environments] = await Promise.all([
  loadPolicies(join(library, "policies")),
  loadEnvironments(join(library, "environments")),
]);
const builder = aBuilder();
const platformKey = signerOf(generateKeyPairSync("ed25519").privateKey);

/** How an artifact behaves once it runs. `silent`: nobody asks it anything. */
export const QUALITIES = ["good", "good", "good", "worse", "silent", "unhealthy", "untested"] as const;
export type Quality = (typeof QUALITIES)[number];

interface Instance {
  artifactDigest: string;
  weightPercent: number;
  requests: number;
  errors: number;
}
interface Place {
  target: Target;
  revisions: Map<string, Instance>;
  /** Every state of the traffic that there was: which artifacts had some. */
  served: string[][];
}

interface Built {
  digest: Digest;
  path: string;
  sizeBytes: number;
}

/** What of the outside is real: that takes the place of what is in memory, behind the same edge with its deaths and absences. */
export interface Real extends Partial<Pick<Parts, "forge" | "runtime" | "signAdmission">> {
  secrets?: SecretStore;
  /** PostgreSQL in which services get databases. */
  adminUrl?: string;
  /** What CI makes of a commit. */
  artifactOf?: (commit: string) => Promise<Built>;
}

/**
 * What lies outside the database, in memory: repositories, builds, and services that run with traffic of their own. Each call of it is one at which the process
 * may die, before or after it was done, or that finds its counterpart away.
 */
export class World {
  readonly parts: Parts;
  readonly places = new Map<string, Place>();
  /** By commit. */
  readonly qualities = new Map<string, Quality>();
  readonly changes = new Map<string, ChangeRequest[]>();
  readonly heads = new Map<string, string>();
  readonly #commits = new Map<string, Buffer>();
  /** Builds that ran to their end, by order: each must be one. */
  readonly builds = new Map<string, number>();
  /** Deaths and absences to come: the number of calls until then. */
  #death: { calls: number; after: boolean } | undefined;
  #away = 0;
  #failure: { calls: number; after: boolean } | undefined;
  /** The public half of the key that signs its builds. */
  readonly builderKey = builder.key.publicKey;
  dead = false;
  readonly #clock: TestClock;
  readonly #random: () => number;
  readonly #artifactOf: (commit: string) => Promise<Built>;
  readonly #barred = new Map<string, string>();
  readonly #services: Map<string, { tier: Tier; environments: string[] }> = new Map();

  constructor(db: Db, clock: TestClock, random: () => number, web: Web, service: string, real: Real = {}) {
    this.#clock = clock;
    this.#random = random;
    this.#artifactOf = real.artifactOf ?? ((commit) => memoryArtifact(`artifact of ${commit}`));
    const memory = { set: async () => true, reveal: async () => "", list: async () => [], remove: async () => {} };
    this.parts = {
      db,
      clock,
      log: silentLog,
      forge: this.#edge(real.forge ?? this.#forge()),
      ci: this.#edge(this.#ci(db)),
      infra: this.#edge(
        localInfra({
          db,
          clock,
          adminUrl: real.adminUrl ?? "",
          secrets: this.#edge(real.secrets ?? (memory as never)),
          prices: { currency: "EUR", monthly: {} },
          serviceSecrets: noSecrets,
        }),
      ),
      runtime: this.#edge(real.runtime ?? this.#runtime()),
      signAdmission: real.signAdmission ?? ((payloadType, statement) => platformKey.sign(statement, payloadType)),
      policies,
      environments,
      goldenPaths: join(library, "golden-paths"),
      publicUrl: "http://127.0.0.1",
    };
    web.set(
      service,
      (environment) =>
        [...(this.places.get(`${service}/${environment}`)?.revisions.values() ?? [])].find((one) => one.weightPercent > 0)?.artifactDigest,
    );
  }

  /** The process dies at one of its next calls. */
  dieSoon(): void {
    this.#death = { calls: Math.floor(this.#random() * 6), after: this.#random() < 0.5 };
  }
  /** Forge, CI, infrastructure and runtime do not answer for some calls. */
  goAway(calls: number): void {
    this.#away = calls;
  }
  /** One of the next calls fails for good, before or after it was done. */
  failSoon(): void {
    this.#failure = { calls: Math.floor(this.#random() * 12), after: this.#random() < 0.5 };
  }
  /** No more faults. */
  calm(): void {
    this.revive();
    this.#away = 0;
    this.#failure = undefined;
  }
  revive(): void {
    this.dead = false;
    this.#death = undefined;
  }

  /** Somebody merges a change request with a commit of this quality; gives the event's facts. */
  async merge(service: string, options: { tier: Tier; environments: string[]; quality: Quality; by: string; approvedBy: string | null }) {
    const list = this.changes.get(service) ?? [];
    this.changes.set(service, list);
    this.#services.set(service, options);
    const number = list.length + 1;
    const bytes = Buffer.from(
      `tree ${TREE}\nauthor ${options.by} <> 0 +0000\ncommitter ${options.by} <> 0 +0000\n\n${service}/${number}\n`,
    );
    const commit = objectId("commit", bytes, 40);
    this.#commits.set(commit, bytes);
    this.qualities.set(commit, options.quality);
    const at = this.#clock.now();
    list.push({
      repository: service,
      number,
      title: `Change ${number}`,
      description: "",
      author: options.by,
      pushedBy: [options.by],
      branch: `b${number}`,
      head: commit,
      base: commit,
      state: "merged",
      mergeable: true,
      conflicts: [],
      approvals: options.approvedBy === null ? [] : [{ by: options.approvedBy, commit, at, result: null, tokenBy: null }],
      checks: [],
      warnings: [],
      mergeCommit: commit,
      result: null,
      createdAt: at,
      mergedAt: at,
    });
    this.heads.set(service, commit);
    const data = { repository: service, number, commit, mergedBy: options.by, author: options.by, warnings: [] };
    return transact(this.parts.db, (tx) =>
      record(tx, this.#clock, { type: "forge.change_merged", about: `repository:${service}`, actor: options.by, data }),
    );
  }

  /** Calls that may be the last. */
  #edge<T extends object>(edge: T): T {
    return new Proxy(edge, {
      get: (target, name) => {
        const method = (target as Record<string | symbol, unknown>)[name];
        if (typeof method !== "function" || name === "cloneUrl") return method; // that one does nothing
        return async (...args: unknown[]) => {
          if (this.dead) throw new Death();
          const last = this.#death && this.#death.calls-- <= 0 ? this.#death : undefined;
          if (last && !last.after) this.#die();
          if (this.#away > 0) {
            this.#away -= 1;
            throw new Fault("unavailable", "simulation.away", "It does not answer", "Wait.");
          }
          const failing = this.#failure && this.#failure.calls-- <= 0 ? this.#failure : undefined;
          if (failing) this.#failure = undefined;
          if (failing && !failing.after) throw broken();
          let result: unknown;
          try {
            result = await (method as (...all: unknown[]) => unknown).apply(target, args);
          } catch (error) {
            throw this.dead ? new Death() : error; // it died in a call within this one
          }
          if (last || this.dead) this.#die();
          if (failing) throw broken();
          return result;
        };
      },
    });
  }

  #die(): never {
    this.dead = true;
    throw new Death();
  }

  #forge(): Forge {
    const filesOf = (service: string): Record<string, string> => filesFor(service, this.#services.get(service)!);
    const forge: Partial<Forge> = {
      listFiles: async (repository) => Object.keys(filesOf(repository)).map((path) => ({ path, mode: "100644", sizeBytes: 1 })),
      readFile: async (repository, _, path) => filesOf(repository)[path],
      head: async (repository) => this.heads.get(repository),
      change: async (repository, number) => this.changes.get(repository)![number - 1]!,
      commitObject: async (_, commit) => this.#commits.get(commit)!,
      cloneUrl: (name) => `http://127.0.0.1/git/${name}.git`,
    };
    return forge as Forge;
  }

  #ci(db: Db): Ci {
    const ended = new Map<string, CiRun>();
    return {
      run: async ({ id, repository, commit, purpose }) => {
        const before = ended.get(id);
        if (before) return before;
        this.builds.set(id, (this.builds.get(id) ?? 0) + 1);
        const { digest, path, sizeBytes } = await this.#artifactOf(commit);
        const tested = this.qualities.get(commit) !== "untested";
        const times = { startedOn: this.#clock.now().toISOString(), finishedOn: this.#clock.now().toISOString() };
        const statements = [
          aProvenance({ repository, commit, artifact: digest, ...(this.#commits.has(commit) && { tree: TREE }), ...times }),
          { ...aTestResult(tested ? "PASSED" : "FAILED", commit), subject: aProvenance({ artifact: digest }).subject },
          { ...anSbom(), subject: aProvenance({ artifact: digest }).subject },
          { ...aScan([], times.finishedOn), subject: aProvenance({ artifact: digest }).subject },
        ];
        const evidence = await file(db, this.#clock, [builder.key], {
          artifact: { digest, sizeBytes, repository, commit, ciRun: id, path },
          envelopes: statements.map((statement) => builder.signer.sign(statement)),
          actor: "system:ci",
        });
        const run: CiRun = {
          id,
          repository,
          commit,
          purpose,
          state: tested ? "passed" : "failed",
          because: tested ? null : "tests failed",
          stages: [],
          tests: null,
          artifact: { digest, sizeBytes },
          evidence: evidence.map((one) => one.digest),
          createdAt: this.#clock.now(),
          endedAt: this.#clock.now(),
        };
        ended.set(id, run);
        return run;
      },
    };
  }

  #runtime(): Runtime {
    const placeOf = (target: Target) => {
      const key = `${target.service}/${target.environment}`;
      const place = this.places.get(key) ?? { target, revisions: new Map(), served: [] };
      this.places.set(key, place);
      return place;
    };
    const known = (target: Target) => this.places.get(`${target.service}/${target.environment}`);
    const runtime: Partial<Runtime> = {
      ensureTarget: async (target) => {
        placeOf(target);
        return { url: urlOf(target) };
      },
      deploy: async ({ id, target, artifact }) => {
        const place = placeOf(target);
        if (this.#barred.has(artifact.digest))
          throw new Fault("refused" as never, "runtime.quarantined", "It is quarantined", "Build another.");
        if (this.#qualityOf(artifact.digest) === "unhealthy")
          throw new Fault("failed", "runtime.unhealthy", "It never got healthy", "Look at its log.");
        if (!place.revisions.has(id))
          place.revisions.set(id, { artifactDigest: artifact.digest, weightPercent: 0, requests: 0, errors: 0 });
      },
      setTraffic: async (target, weights) => {
        const place = known(target);
        if (!place) throw new Fault("not_found", "runtime.target_unknown", "There is no such target", "Make it.");
        for (const id of Object.keys(weights))
          if (!place.revisions.has(id)) throw new Fault("not_found", "runtime.revision_unknown", `${id} does not run`, "Deploy it.");
        for (const [id, revision] of place.revisions) revision.weightPercent = weights[id] ?? 0;
        place.served.push([...place.revisions.values()].filter((one) => one.weightPercent > 0).map((one) => one.artifactDigest));
      },
      observe: async (target) => {
        const place = known(target);
        if (!place) throw new Fault("not_found", "runtime.target_unknown", "There is no such target", "Make it.");
        this.#traffic(place);
        const readings = [...place.revisions].map(([revision, one]) => this.#reading(revision, one));
        return { target, at: this.#clock.now(), url: urlOf(target), readings, findings: [] };
      },
      retire: async (target, revision) => {
        const place = known(target);
        if ((place?.revisions.get(revision)?.weightPercent ?? 0) > 0)
          throw new Fault("conflict", "runtime.has_weight", "It has traffic", "Take it away first.");
        place?.revisions.delete(revision);
      },
      remove: async (target) => void this.places.delete(`${target.service}/${target.environment}`),
      targets: async () => [...this.places.values()].map(({ target }) => target),
      quarantine: async (artifact, because) => void this.#barred.set(artifact, because),
      quarantined: async () => [...this.#barred].map(([artifact, because]) => ({ artifact, because })),
      attempts: async () => [],
      logs: async () => [],
    };
    return runtime as Runtime;
  }

  #qualityOf(artifact: string): Quality {
    for (const [commit, quality] of this.qualities) if (sha256(`artifact of ${commit}`) === artifact) return quality;
    return "good";
  }

  /** What came in since somebody last looked. */
  #traffic(place: Place): void {
    const silent = [...place.revisions.values()].some((one) => this.#qualityOf(one.artifactDigest) === "silent");
    for (const one of place.revisions.values()) {
      const requests = silent ? 0 : Math.round(400 * one.weightPercent * (0.5 + this.#random()));
      one.requests += requests;
      if (this.#qualityOf(one.artifactDigest) === "worse") one.errors += Math.round(requests * 0.3);
    }
  }

  #reading(revision: string, { artifactDigest, weightPercent, requests, errors }: Instance): Reading {
    return {
      revision,
      artifactDigest,
      epoch: "one",
      requests,
      errors,
      latency: [requests, ...LATENCY_BOUNDS_SECONDS.map(() => 0)],
      weightPercent,
      health: "healthy",
      restarts: 0,
      startedAt: new Date(0),
      memoryBytes: null,
    };
  }
}

/** git's empty tree. */
const TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
const broken = () => new Fault("failed", "simulation.broken", "It broke", "Mend it.");

const memoryArtifact = async (text: string): Promise<Built> => {
  const digest = sha256(text);
  return { digest, path: `/artifacts/${digest}`, sizeBytes: 1 };
};

const noSecrets = { versions: async () => ({}), forgetUnused: async () => {} };
const urlOf = ({ service, environment }: Target) => `http://${service}.${environment}.test`;

/** By service: the artifact that answers a request in an environment. */
export type Web = Map<string, (environment: string) => string | undefined>;

/** Answers requests to services, without a network: the smoke test's. Those that run on this machine answer for themselves. */
export function startWeb(before: Dispatcher): { web: Web; stop: () => Promise<void> } {
  const web: Web = new Map();
  const agent = new MockAgent();
  agent.disableNetConnect();
  agent.enableNetConnect(/^127\.0\.0\.1:/);
  agent
    .get(/\.test$/)
    .intercept({ path: () => true })
    .reply((options) => {
      const [service = "", environment = ""] = new URL(String(options.origin)).hostname.split(".");
      const digest = web.get(service)?.(environment);
      return { statusCode: digest ? 200 : 503, data: "", responseOptions: { headers: digest ? { "x-cairn-digest": digest } : {} } };
    })
    .persist();
  setGlobalDispatcher(agent);
  return {
    web,
    stop: async () => {
      setGlobalDispatcher(before);
      await agent.close();
    },
  };
}

const filesFor = (service: string, { tier, environments: route }: { tier: Tier; environments: string[] }): Record<string, string> => ({
  "catalog-info.yaml": `apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: ${service}
  annotations: { pagerduty.com/service-id: P1 }
  labels: { cairn.dev/tier: ${tier} }
spec: { type: service, lifecycle: production, owner: "group:default/team-a" }
`,
  "score.yaml": JSON.stringify({
    apiVersion: "score.dev/v1b1",
    metadata: { name: service },
    service: { ports: { http: { port: 80, targetPort: 8080 } } },
    containers: { main: { image: ".", ...PROBES, ...RESOURCES } },
  }),
  "cairn.yaml": JSON.stringify({
    apiVersion: "cairn.dev/v1",
    kind: "Contract",
    ci: { test: "true", include: ["x"] },
    start: "true",
    environments: route,
  }),
  "k8s/deployment.yaml": JSON.stringify({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: service },
    spec: { template: { spec: { containers: [{ name: "main", image: `${service}:built`, ...PROBES, ...RESOURCES }] } } },
  }),
  "slo.yaml": `apiVersion: openslo/v1\nkind: SLO\nmetadata: { name: ${service}-availability }\nspec: { objectives: [{ target: 0.99 }] }\n`,
  "docs/runbook.md": "# Runbook\nStart it again.\n",
  CODEOWNERS: "* @team-a\n",
});
const PROBES = {
  readinessProbe: { httpGet: { path: "/healthz", port: 8080 } },
  livenessProbe: { httpGet: { path: "/healthz", port: 8080 } },
};
const RESOURCES = { resources: { requests: { cpu: "10m", memory: "16Mi" }, limits: { cpu: "200m", memory: "128Mi" } } };
