import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import "../identity/request.ts";
import type { Digest } from "../kernel/digest.ts";
import type { Db } from "../kernel/sql.ts";
import { read } from "../ledger/store.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Bundle } from "./bundle.ts";
import { EVALUATOR } from "./evaluator.ts";
import { DecisionBundle, RuleBundle } from "./portable.ts";
import { Decision, Mode, Point, PolicySubject, type Relief } from "./model.ts";
import { Audit, audits } from "./audit.ts";
import { bundleOfDecision, find, list } from "./store.ts";

const ModesAnswer = z.record(z.string(), Mode);

export const PolicyRule = z
  .object({
    name: z.string(),
    description: z.string(),
    points: z.array(Point),
    /** How strictly a refusal is meant, by tier and environment; `default` elsewhere. */
    modes: ModesAnswer,
    /** The same for not knowing. */
    unknown: ModesAnswer,
    fix: z.string(),
    /** Who may grant an exception: groups, and `administrators`. */
    exceptionsBy: z.array(z.string()),
    expressions: z.array(z.string()),
  })
  .meta({ id: "PolicyRule" });

/** The rules in force, under their digest. */
export const PolicyBundle = z.object({ bundle: z.string(), rules: z.array(PolicyRule) }).meta({ id: "PolicyBundle" });

/** Of the platform, what rules are judged by beside the facts of a repository. */
export interface Surroundings {
  environments: RuleBundle["environments"];
  groups: () => Promise<string[]>;
  /** By service. */
  tiers: () => Promise<RuleBundle["tiers"]>;
  /** By group. */
  rotations: () => Promise<RuleBundle["rotations"]>;
  /** The exceptions and break-glasses that hold, of all services. */
  reliefs: (now: Date) => Promise<Relief[]>;
}

/** A decision with the facts that it was made on. */
export const DecisionDetail = z.object({ ...Decision.shape, facts: PolicySubject }).meta({ id: "DecisionDetail" });

export const policyRoutes =
  ({ db, clock, bundle, surroundings }: { db: Db; clock: Clock; bundle: Bundle; surroundings: Surroundings }): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      "/policies",
      { schema: { operationId: "listPolicies", tags: ["policy"], summary: "The rules in force", response: { 200: PolicyBundle } } },
      async (request) => {
        await request.can("read");
        return {
          bundle: bundle.digest,
          rules: bundle.rules.map(({ name, description, points, modes, unknown, fix, exceptionsBy, validations }) => {
            const expressions = validations.map(({ program }) => program.expression);
            return { name, description, points, modes, unknown, fix, exceptionsBy, expressions };
          }),
        };
      },
    );

    app.get(
      "/policies/bundle",
      {
        schema: {
          operationId: "getPolicyBundle",
          tags: ["policy"],
          summary: "The rules in force as one document, for checks without the server",
          response: { 200: RuleBundle },
        },
      },
      async (request) => {
        await request.can("read");
        const now = clock.now();
        return {
          kind: "cairn.dev/policy-bundle" as const,
          digest: bundle.digest,
          evaluator: EVALUATOR,
          rules: bundle.document,
          environments: surroundings.environments.map(({ name, production, mode }) => ({ name, production, mode })),
          groups: await surroundings.groups(),
          tiers: await surroundings.tiers(),
          rotations: await surroundings.rotations(),
          reliefs: await surroundings.reliefs(now),
          takenAt: now,
        };
      },
    );

    app.get(
      "/audit",
      {
        schema: {
          operationId: "listAudits",
          tags: ["policy"],
          summary: "What policy says today of all that runs, the worst first",
          querystring: z.object({
            service: z.string().optional(),
            outcome: Audit.shape.outcome.optional(),
            limit: z.coerce.number().int().min(1).max(1000).optional(),
          }),
          response: { 200: z.object({ audits: z.array(Audit) }) },
        },
      },
      async (request) => {
        await request.can("read");
        return { audits: await audits(db, request.query) };
      },
    );

    app.get(
      "/decisions",
      {
        schema: {
          operationId: "listDecisions",
          tags: ["policy"],
          summary: "Decisions, newest first",
          querystring: z.object({
            service: z.string().optional(),
            point: Point.optional(),
            outcome: Decision.shape.outcome.optional(),
            limit: z.coerce.number().int().min(1).max(500).default(50),
          }),
          response: { 200: z.object({ decisions: z.array(Decision) }) },
        },
      },
      async (request) => {
        await request.can("read");
        return { decisions: await list(db, request.query) };
      },
    );

    app.get(
      "/decisions/:id/bundle",
      {
        schema: {
          operationId: "getDecisionBundle",
          tags: ["policy"],
          summary: "A decision with all that it is a function of: to replay it elsewhere",
          params: z.object({ id: z.string() }),
          response: { 200: DecisionBundle },
        },
      },
      async (request) => {
        const decision = await find(db, request.params.id);
        await request.can("read", { name: decision.about.slice(decision.about.lastIndexOf("/") + 1) });
        return bundleOfDecision(db, decision);
      },
    );

    app.get(
      "/decisions/:id",
      {
        schema: {
          operationId: "getDecision",
          tags: ["policy"],
          summary: "A decision: each rule's answer, and the facts it was given",
          params: z.object({ id: z.string() }),
          response: { 200: DecisionDetail },
        },
      },
      async (request) => {
        const decision = await find(db, request.params.id);
        const facts = PolicySubject.parse(await read(db, decision.subject as Digest));
        await request.can("read", { name: facts.service.name });
        return { ...decision, facts };
      },
    );
  };
