import { mkdir, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { startAgent } from "@cairn/agent/client.ts";
import { directory } from "../catalog/views.ts";
import { findBuildIsolation } from "../ci/local/isolation.ts";
import { localCi } from "../ci/local/runner.ts";
import { LOCAL_BUILDER } from "../ci/local/statements.ts";
import { loadBuilders } from "../evidence/builders.ts";
import { statementIn } from "../evidence/dsse.ts";
import { fileSigner, type Signer } from "../evidence/signer.ts";
import { file } from "../evidence/store.ts";
import { localForge, type MergeGround } from "../forge/local/forge.ts";
import { ADMINISTRATOR } from "../identity/model.ts";
import { ensureAdministrator } from "../identity/store.ts";
import { localInfra } from "../infra/local/infra.ts";
import { loadPrices } from "../infra/prices.ts";
import { systemClock } from "../kernel/clock.ts";
import { places, readConfig } from "../kernel/config.ts";
import { isFault } from "../kernel/faults.ts";
import { createLog } from "../kernel/log.ts";
import { migrate, openDatabase, transact } from "../kernel/sql.ts";
import { startDelivering } from "../notifications/deliver.ts";
import { startOrchestrator } from "../orchestrator/orchestrator.ts";
import { loadPolicies } from "../policy/bundle.ts";
import { noteBundle } from "../policy/store.ts";
import { loadEnvironments } from "../releases/environments.ts";
import { admissionSigner } from "../runtime/local/key.ts";
import { checkpointsOf, startCheckpoints } from "../ledger/checkpoints.ts";
import { localRuntime } from "../runtime/local/runtime.ts";
import { countedRuntime, startWatching } from "../observability/watch.ts";
import { loadScorecard } from "../scorecards/rules.ts";
import { openSecretStore } from "../secrets/local/store.ts";
import { serviceSecrets } from "../secrets/store.ts";
import { FORGET_EVERY_MS, forgetBuilds } from "../workflows/forget-builds.ts";
import { agreeOnQuarantine, lookAtRuntime } from "../workflows/look-at-runtime.ts";
import type { Parts } from "../workflows/parts.ts";
import { breakGlassDesk } from "../workflows/break-glass.ts";
import { checker } from "../workflows/check-again.ts";
import { deliverer } from "../workflows/deliver-again.ts";
import { goBack } from "../workflows/go-back.ts";
import { incidentDesk } from "../workflows/incident-desk.ts";
import { planner } from "../workflows/planner.ts";
import { AUDIT_EVERY_MS, startAudit } from "../workflows/audit-runtime.ts";
import { REFRESH_EVERY_MS, scorecardRefresher } from "../workflows/refresh-scorecards.ts";
import { allWorkflows, startWhatFollows } from "../workflows/start.ts";
import { changeTier } from "../workflows/tiers.ts";
import { tellOf, TOLD_EVENTS } from "../workflows/tell.ts";
import { embeddedDatabase } from "./database.ts";
import { startFollowing } from "./follow.ts";
import { startKeepingAgent } from "./keep-agent.ts";
import { listenLive } from "./live.ts";
import { startLooking } from "./look.ts";
import { allMigrations } from "./migrations.ts";
import { evaluation, productionOf, scoreFactsOf, serviceNames } from "./objectives.ts";
import { holderOf, portTaken } from "./port.ts";
import { forgetServer, startTicks, writeServer } from "./record.ts";
import { signingSecretsIn } from "./signing-secrets.ts";
import { surface } from "./surface.ts";

// The server: builds the real parts, in the order of the path, and listens on this machine.
const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const clock = systemClock;
const config = readConfig(process.env);
const log = createLog("cairn");
const at = places(config.home);
const url = `http://127.0.0.1:${config.port}`;
const library = (name: string) => join(config.library, name);

try {
  await start();
} catch (error) {
  log.fatal({ err: error }, isFault(error) ? `${error.message} ${error.next}` : "the server could not start");
  process.exit(1);
}

async function start(): Promise<void> {
  await mkdir(config.home, { recursive: true, mode: 0o700 });
  // Side by side: what waits for the agent's database, and what reads files and tries commands.
  const [{ agent, superuserUrl, databaseUrl, db }, isolation, policies, environments, prices, scoreRules] = await Promise.all([
    openStores(),
    findBuildIsolation({ home: config.home, work: join(at.ci, "work"), hidden: [ownCredentials()], checkout: root }),
    loadPolicies(library("policies")),
    loadEnvironments(library("environments")),
    loadPrices(library("prices/local.yaml")),
    loadScorecard(library("scorecards/service.yaml")),
  ]);

  const secrets = await openSecretStore(config.home);
  const signer = await fileSigner(at.keys);
  const own = { publicKey: signer.publicKey, keyId: signer.keyId, builder: LOCAL_BUILDER };
  const keys = [own, ...(await loadBuilders(library("builders.yaml")))];
  const forge = await localForge({ db, clock, folder: at.forge, publicUrl: url });
  await transact(db, (tx) => noteBundle(tx, clock, policies));
  const parts: Parts = {
    db,
    clock,
    log,
    forge,
    ci: localCi({
      db,
      clock,
      log,
      forge,
      signer,
      fileEvidence: (filing, within) => file(db, clock, keys, filing, within),
      folder: at.ci,
      artifacts: at.artifacts,
      npmCache: at.npmCache,
      isolation,
      env: process.env,
    }),
    infra: localInfra({
      db,
      clock,
      adminUrl: superuserUrl,
      secrets,
      serviceSecrets: serviceSecrets(db, secrets),
      prices,
    }),
    runtime: countedRuntime(localRuntime(agent, clock), db, log),
    signAdmission: await admissionSigner(at.keys),
    policies,
    environments,
    goldenPaths: library("golden-paths"),
    publicUrl: url,
  };
  const keeping = startKeepingAgent({ home: config.home, clock, log, start: ourAgent });
  const live = listenLive(databaseUrl, log);
  const orchestrator = await startOrchestrator({ databaseUrl, db, clock, log, workflows: allWorkflows, parts });
  await forge.reconcile();
  const evaluating = evaluation(db, clock, forge);
  const watching = startWatching({ ...evaluating, runtime: parts.runtime, log });
  const looking = startLooking(() => lookAtRuntime(parts), log);
  const forgetting = startLooking(() => forgetBuilds({ db, clock, ciFolder: at.ci }), log, FORGET_EVERY_MS);
  const auditing = startLooking(() => startAudit(parts, orchestrator), log, AUDIT_EVERY_MS);
  const ledgerSigner = await fileSigner(at.keys, "ledger");
  const checkpoints = checkpointsOf({
    db,
    clock,
    log,
    sign: (statement) => ledgerSigner.sign(statement),
    open: (envelope) => statementIn(envelope, ledgerSigner),
    file: join(at.ledger, "checkpoints.jsonl"),
  });
  const signing = startCheckpoints(checkpoints, log);
  const following = startFollowing({ db, clock, log, live, follow: (event) => startWhatFollows(parts, orchestrator, event) });
  const mergeGround: MergeGround = {
    tierOf: (repository, head) => changeTier(db, forge, repository, head),
    needsCodeOwner: (tier) => parts.environments.tiers[tier].changeRequest.approvedBy === "code-owner-other-than-author",
    directory: directory(db),
  };
  const review = (repository: string, number: number, viewer = ADMINISTRATOR) => forge.review(repository, number, viewer, mergeGround);
  const telling = startFollowing({
    db,
    clock,
    log,
    live,
    consumer: { name: "notifications", types: TOLD_EVENTS },
    follow: (event) => tellOf({ ...parts, review }, event),
  });
  const signingSecrets = signingSecretsIn(secrets);
  const wakeBy = (wake: () => void) => live.onChange(({ channel }) => channel === "ledger" && wake());
  const delivering = startDelivering({ db, clock, log, secrets: signingSecrets, onChange: wakeBy });

  const portalFolder = join(root, "portal", "dist");
  const app = await surface({
    db,
    clock,
    log,
    identity: { db, clock, directory: directory(db), adminToken: config.adminToken },
    forge,
    mergeGround,
    checkpoints,
    ledgerKey: pemOf(ledgerSigner),
    builderKeys: keys,
    evidenceExport: {
      forge,
      db,
      clock,
      runtime: parts.runtime,
      keys: { builder: pemOf(signer), platform: pemOf(ledgerSigner) },
      sign: (statement) => ledgerSigner.sign(statement),
    },
    planner: planner(parts, orchestrator),
    breakGlass: breakGlassDesk(parts, orchestrator),
    why: { ...parts, review },
    signingSecrets,
    runtime: parts.runtime,
    tellQuarantine: () =>
      agreeOnQuarantine(parts).catch((error: unknown) => log.warn({ err: error }, "the runtime hears of the quarantine later")),
    deliverer: deliverer(parts, orchestrator),
    checker: checker(parts, orchestrator),
    goBack: goBack(parts, orchestrator),
    incidents: incidentDesk({ ...parts, servicesOf: (team) => serviceNames(db, { team }) }),
    secrets,
    infra: parts.infra,
    environmentNames: parts.environments.environments.map(({ name }) => name),
    environments: parts.environments.environments,
    scoreRules,
    policies,
    ciFolder: at.ci,
    live,
    goldenPaths: parts.goldenPaths,
    ready: () => readiness(),
    portalFolder: (await stat(join(portalFolder, "index.html")).catch(() => undefined)) ? portalFolder : undefined,
  });

  async function readiness() {
    const asked = async (ask: () => Promise<unknown>) =>
      ask().then(
        () => "ok",
        (error: unknown) => (isFault(error) ? error.message : "does not answer"),
      );
    const answers = {
      database: await asked(() => db.selectFrom("ledger_cursor").select("seq").limit(1).execute()),
      agent: keeping.absence() ?? (await asked(() => agent.targets())),
    };
    return { ready: Object.values(answers).every((answer) => answer === "ok"), parts: answers };
  }

  try {
    await app.listen({ host: "127.0.0.1", port: config.port });
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === "EADDRINUSE" ? portTaken(config.port, await holderOf(config.port)) : error;
  }
  await writeServer(config.home, {
    pid: process.pid,
    startTicks: await startTicks(process.pid),
    url,
    startedAt: clock.now().toISOString(),
  });
  log.info({ url }, "ready");
  const production = productionOf(environments.environments);
  const factsOf = scoreFactsOf({ db, clock, forge, production }, evaluating);
  const refreshScorecards = scorecardRefresher({ db, clock, log, rules: scoreRules, factsOf });
  const scoring = startLooking(async () => void (await refreshScorecards()), log, REFRESH_EVERY_MS);

  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    await keeping.close(); // first of all: an agent that is started now would come up after it was stopped
    await app.close();
    await watching.close();
    await looking.close();
    await auditing.close();
    await scoring.close();
    await forgetting.close();
    await following.close();
    await signing.close();
    await telling.close();
    await delivering.close();
    await orchestrator.close();
    await live.close();
    await db.destroy();
    await forgetServer(config.home);
    process.exit(0);
  };
  process.on("SIGTERM", () => void stop());
  process.on("SIGINT", () => void stop());
}

function ourAgent() {
  return startAgent(config.home, { postgres: config.databaseUrl === undefined });
}

/** The agent, and the database with its tables as this version wants them. */
async function openStores() {
  const agent = await ourAgent();
  const superuserUrl = config.databaseUrl ?? (await agent.postgres()).url;
  const databaseUrl = config.databaseUrl ?? (await embeddedDatabase(superuserUrl));
  const db = openDatabase(databaseUrl, {
    maxConnections: 20,
    onError: (error) => log.warn({ err: error.message }, "a database connection was lost"),
  });
  await migrate(db, allMigrations);
  await ensureAdministrator(db, clock);
  return { agent, superuserUrl, databaseUrl, db };
}

function pemOf({ publicKey }: Signer): string {
  return publicKey.export({ type: "spki", format: "pem" }).toString();
}

/** Where the CLI of whoever runs the server keeps tokens. */
function ownCredentials(): string {
  return join(process.env.XDG_CONFIG_HOME || join(homedir(), ".config"), "cairn");
}
