import type { FastifyInstance } from "fastify";
import { requireOwner } from "../catalog/store.ts";
import { groups, serviceTiers, serviceView, serviceViews } from "../catalog/views.ts";
import { rotations } from "../catalog/rotations.ts";
import { catalogRoutes, serviceRoutes, type CatalogParts } from "../catalog/routes.ts";
import { ciRoutes } from "../ci/routes.ts";
import { checkRoutes, type Checker } from "../forge/check-routes.ts";
import { evidenceRoutes } from "../evidence/routes.ts";
import type { BuilderKey } from "../evidence/verify.ts";
import { forgeRoutes } from "../forge/routes.ts";
import type { LocalForge, MergeGround } from "../forge/local/forge.ts";
import { smartHttp } from "../forge/local/smart-http.ts";
import { goldenPathRoutes } from "../golden-paths/routes.ts";
import { incidentRoutes, type IncidentDesk } from "../incidents/routes.ts";
import type { Infra } from "../infra/contract.ts";
import { callerOf, identityAccess } from "../identity/access-hook.ts";
import type { IdentityParts } from "../identity/authenticate.ts";
import { identityRoutes } from "../identity/routes.ts";
import type { Clock } from "../kernel/clock.ts";
import { silentLog, type Log } from "../kernel/log.ts";
import type { Db } from "../kernel/sql.ts";
import type { Checkpoints } from "../ledger/checkpoints.ts";
import { ledgerRoutes } from "../ledger/routes.ts";
import { notificationsRoutes } from "../notifications/routes.ts";
import type { SigningSecrets } from "../notifications/webhooks.ts";
import { orchestratorRoutes } from "../orchestrator/routes.ts";
import { planRoutes, type Planner } from "../plans/routes.ts";
import type { Bundle } from "../policy/bundle.ts";
import { breakGlassRoutes, type BreakGlassDesk } from "../policy/break-glass-routes.ts";
import { exceptionRoutes } from "../policy/exception-routes.ts";
import type { RuleBundle } from "../policy/portable.ts";
import { policyRoutes } from "../policy/routes.ts";
import { deliverRoutes, type Deliverer } from "../releases/deliver-routes.ts";
import { quarantineRoutes } from "../releases/quarantine-routes.ts";
import { goBackRoutes, type GoBack } from "../releases/go-back-routes.ts";
import { releasesRoutes } from "../releases/routes.ts";
import { carriedBy } from "../releases/store.ts";
import { windowsRoutes } from "../releases/windows-routes.ts";
import type { Runtime } from "../runtime/contract.ts";
import { observabilityRoutes, scrapeRoutes } from "../observability/routes.ts";
import { runtimeRoutes } from "../runtime/routes.ts";
import type { SecretStore } from "../secrets/contract.ts";
import { secretRoutes } from "../secrets/routes.ts";
import { scorecardRoutes } from "../scorecards/routes.ts";
import type { ScoreRules } from "../scorecards/rules.ts";
import { authorsAtWork, reliefsFor } from "../workflows/reliefs.ts";
import { changeGraphRoutes } from "../workflows/change-graph.ts";
import { serviceStateRoutes } from "../workflows/service-states.ts";
import { exportRoutes, type ExportParts } from "../workflows/export-evidence.ts";
import { whyRoutes } from "../workflows/why/routes.ts";
import type { WhyParts } from "../workflows/why/facts.ts";
import { buildApp } from "./app.ts";
import { liveRoutes, type Live } from "./live.ts";
import { declared, evaluation, productionOf, repositoryNames, scoreFactsOf, serviceNames } from "./objectives.ts";
import { portalPage } from "./portal.ts";

/** The real parts that the routes stand on. */
export interface SurfaceParts {
  db: Db;
  clock: Clock;
  log: Log;
  identity: IdentityParts;
  forge: LocalForge;
  mergeGround: MergeGround;
  checkpoints: Checkpoints;
  evidenceExport: ExportParts;
  builderKeys: readonly BuilderKey[];
  /** PEM of the key that signs the ledger. */
  ledgerKey: string;
  planner: Planner;
  breakGlass: BreakGlassDesk;
  why: WhyParts;
  /** Where the secrets of webhooks lie. */
  signingSecrets: SigningSecrets;
  runtime: Runtime;
  /** Tells the runtime at once what is quarantined and what is not any more. */
  tellQuarantine: () => Promise<void>;
  deliverer: Deliverer;
  checker: Checker;
  goBack: GoBack;
  incidents: IncidentDesk;
  secrets: SecretStore;
  infra: Infra;
  /** In the order of promotion. */
  environmentNames: readonly string[];
  environments: RuleBundle["environments"];
  policies: Bundle;
  /** Of library/scorecards. */
  scoreRules: ScoreRules;
  /** Where CI keeps its logs. */
  ciFolder: string;
  live: Live;
  /** Folder of the golden paths. */
  goldenPaths: string;
  ready: () => Promise<{ ready: boolean; parts: Record<string, string> }>;
  portalFolder: string | undefined;
}

/** Every route of the platform, in the order of the path. */
export function surface(parts: SurfaceParts): Promise<FastifyInstance> {
  const { db, clock, forge, mergeGround, portalFolder } = parts;
  const ownerOf = (service: string) => requireOwner(db, service).catch(() => undefined);
  const servicesOf = (team: string) => serviceNames(db, { team });
  const requireService = async (service: string) => void (await serviceView(db, service));
  const evaluating = evaluation(db, clock, forge);
  const production = productionOf(parts.environments);
  const catalog: CatalogParts = {
    db,
    clock,
    repositoryUrl: (name) => forge.cloneUrl(name),
    ...(portalFolder !== undefined && { portalPage: (reply) => portalPage(reply, portalFolder) }),
  };
  return buildApp({
    log: parts.log,
    ready: parts.ready,
    access: identityAccess(parts.identity),
    api: [
      ledgerRoutes({ db, checkpoints: parts.checkpoints, publicKey: parts.ledgerKey }),
      orchestratorRoutes({ db }),
      identityRoutes(parts.identity),
      planRoutes({ db, clock, planner: parts.planner }),
      notificationsRoutes({ db, clock, secrets: parts.signingSecrets }),
      catalogRoutes(catalog),
      goldenPathRoutes({ library: parts.goldenPaths }),
      forgeRoutes({ forge, repositoriesOf: (team) => repositoryNames(db, team), ...mergeGround }),
      ciRoutes({ db, folder: parts.ciFolder }),
      evidenceRoutes({ db, clock, keys: parts.builderKeys, ownerOf, carriedBy }),
      breakGlassRoutes({ db, clock, desk: parts.breakGlass }),
      exceptionRoutes({
        db,
        clock,
        bundle: parts.policies,
        environments: parts.environmentNames,
        ownerOf,
        authorsOf: (service) => authorsAtWork(forge, service),
      }),
      policyRoutes({
        db,
        clock,
        bundle: parts.policies,
        surroundings: {
          environments: parts.environments,
          groups: async () => (await groups(db)).map(({ ref }) => ref),
          tiers: () => serviceTiers(db),
          rotations: async () => Object.fromEntries((await rotations(db)).map(({ group, name }) => [group, name])),
          reliefs: (now) => reliefsFor(db, undefined, now),
        },
      }),
      secretRoutes({
        db,
        clock,
        secrets: parts.secrets,
        environments: parts.environmentNames,
        ownerOf: async (service) => (await serviceView(db, service)).owner,
        usedKeys: (target) => parts.infra.usedSecrets(target),
      }),
      checkRoutes({ checker: parts.checker, ownerOf: (name) => requireOwner(db, name).catch(() => undefined) }),
      deliverRoutes({ deliverer: parts.deliverer, ownerOf: async (service) => (await serviceView(db, service)).owner }),
      goBackRoutes({ goBack: parts.goBack, ownerOf: async (service) => (await serviceView(db, service)).owner }),
      runtimeRoutes({ runtime: parts.runtime }),
      observabilityRoutes({ ...evaluating, requireService, declared: (service) => declared(db, service) }),
      releasesRoutes({ db, clock, ownerOf, servicesOf }),
      windowsRoutes({ db, clock, ownerOf, environmentNames: parts.environmentNames }),
      quarantineRoutes({ db, clock, ownerOf, requireService, tellRuntime: parts.tellQuarantine }),
      incidentRoutes({ db, clock, desk: parts.incidents, environmentNames: parts.environmentNames }),
      scorecardRoutes({
        db,
        clock,
        rules: parts.scoreRules,
        production,
        factsOf: scoreFactsOf({ db, clock, forge, production }, evaluating),
        servicesOf,
        countServices: async (filter) => (await serviceViews(db, { ...filter, limit: 1 })).total,
      }),
      serviceStateRoutes({
        db,
        clock,
        environment: production.at(-1),
      }),
      changeGraphRoutes({ forge }),
      exportRoutes(parts.evidenceExport),
      whyRoutes(parts.why),
      liveRoutes({ live: parts.live }),
    ],
    root: [
      serviceRoutes(catalog),
      scrapeRoutes({ runtime: parts.runtime, services: () => serviceNames(db), requireService }),
      smartHttp({ forge, authenticate: (request) => callerOf(request)?.principal }),
    ],
    portalFolder,
  });
}

/** The OpenAPI document, without a database or anything else behind the routes. */
export async function openApiDocument(): Promise<Record<string, unknown>> {
  const none = {} as never; // routes are declared, never called
  const app = await surface({
    db: none,
    clock: none,
    log: silentLog,
    identity: none,
    forge: none,
    mergeGround: none,
    checkpoints: none,
    evidenceExport: none,
    builderKeys: [],
    ledgerKey: "",
    planner: none,
    breakGlass: none,
    why: none,
    signingSecrets: none,
    runtime: none,
    tellQuarantine: none,
    deliverer: none,
    checker: none,
    goBack: none,
    incidents: none,
    secrets: none,
    infra: none,
    environmentNames: [],
    environments: [],
    policies: none,
    scoreRules: none,
    ciFolder: "",
    live: none,
    goldenPaths: "",
    ready: none,
    portalFolder: undefined,
  });
  await app.ready();
  const document = app.swagger() as unknown as Record<string, unknown>;
  await app.close();
  return document;
}
