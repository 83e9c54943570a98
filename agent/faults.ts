import { Fault } from "@cairn/platform/kernel/faults.ts";
import type { TargetName } from "./model.ts";

const name = (target: TargetName): string => `${target.service} in ${target.environment}`;

export const agentNotRunning = (home: string) =>
  new Fault("unavailable", "agent.not_running", `No agent is running for ${home}`, "Start it: npm start.");

export const agentSilent = (home: string, because: string) =>
  new Fault("unavailable", "agent.silent", `The agent of ${home} does not answer: ${because}`, "Look at logs/agent.log in CAIRN_HOME.");

export const agentDidNotStart = (logFile: string, output: string) =>
  new Fault("unavailable", "agent.start_failed", `The agent did not start: ${output || "it said nothing"}`, `Look at ${logFile}.`);

export const folderNotOurs = (folder: string) =>
  new Fault(
    "failed",
    "agent.folder_not_ours",
    `${folder} belongs to somebody else or is open to others`,
    "Remove it, or set CAIRN_HOME to a shorter path.",
  );

export const tokenRefused = () =>
  new Fault(
    "unauthenticated",
    "agent.token_refused",
    "The control socket wants its token",
    "Send the content of agent/token in CAIRN_HOME as bearer token.",
  );

export const nothingThere = (method: string, path: string) =>
  new Fault(
    "not_found",
    "agent.no_such_operation",
    `Nothing is at ${method} ${path}`,
    "This agent may be older than its caller: restart it.",
  );

export const requestInvalid = (what: string) =>
  new Fault("invalid", "agent.request_invalid", what, "Correct the request and send it again.");

export const requestTooLarge = () =>
  new Fault("too_large", "agent.request_too_large", "The request is over 8 MiB", "Send smaller manifests; artifacts go by path.");

export const postgresNotOwned = () =>
  new Fault(
    "not_found",
    "agent.postgres_not_owned",
    "This agent runs no PostgreSQL",
    "It was started with a database of its own: use CAIRN_DATABASE_URL.",
  );

export const postgresDown = (because: string) =>
  new Fault(
    "unavailable",
    "agent.postgres_down",
    `PostgreSQL is not running: ${because}`,
    "It is tried again; look at logs/postgres.log in CAIRN_HOME.",
  );

export const targetUnknown = (target: TargetName) =>
  new Fault("not_found", "runtime.target_unknown", `${name(target)} has no address here`, "Deploy it first.");

export const revisionLeaving = (target: TargetName, revision: string) =>
  new Fault(
    "conflict",
    "runtime.revision_leaving",
    `Revision ${revision} of ${name(target)} is being retired`,
    "Wait until it is gone, then deploy it anew.",
  );

export const revisionHasTraffic = (target: TargetName, revision: string, percent: number) =>
  new Fault(
    "conflict",
    "runtime.revision_has_traffic",
    `Revision ${revision} of ${name(target)} has ${percent} % of the requests`,
    "Give its weight to another revision first.",
  );

export const weightsInvalid = (because: string) =>
  new Fault(
    "invalid",
    "runtime.weights_invalid",
    because,
    "Name revisions that were deployed, with percentages from 0 to 100 that sum to 100.",
  );

export const artifactMissing = (path: string) =>
  new Fault("not_found", "runtime.artifact_missing", `The artifact ${path} can't be read`, "Build it anew.");

export const artifactMismatch = (path: string, wanted: string, found: string) =>
  new Fault(
    "precondition",
    "runtime.artifact_mismatch",
    `The artifact ${path} has the digest ${found}, not ${wanted}`,
    "It was changed after it was built: build it anew. Nothing was unpacked.",
  );

export const artifactRefused = (path: string, because: string) =>
  new Fault(
    "invalid",
    "runtime.artifact_refused",
    `The artifact ${path} is refused: ${because}`,
    "Build it of ordinary files, folders and links that stay inside it.",
  );

export const manifestRefused = (because: string) =>
  new Fault(
    "invalid",
    "runtime.manifest_refused",
    because,
    "The local runtime reads the first container of one Deployment: env, resources.limits.memory, httpGet and tcpSocket probes, terminationGracePeriodSeconds.",
  );

export const unhealthy = (target: TargetName, revision: string, because: string, lastLines: string[]) =>
  new Fault(
    "failed",
    "runtime.unhealthy",
    `Revision ${revision} of ${name(target)} did not become healthy: ${because}${lastLines.length > 0 ? `. Its last lines: ${lastLines.join(" | ")}` : ""}`,
    "Nothing of it is running. Correct the service and deploy it anew; its logs are kept.",
    { lastLines },
  );

export const noPortFree = () =>
  new Fault("unavailable", "runtime.no_port_free", "No port is free for it", "Stop what holds the ports 20000 to 29999.");

export const notAdmitted = (target: TargetName, revision: string, because: string) =>
  new Fault(
    "forbidden",
    "runtime.not_admitted",
    `Revision ${revision} of ${name(target)} is not admitted: ${because}`,
    "Nothing was started or routed. Deliver it through a change request: a decision of the platform admits it.",
  );

export const quarantined = (target: TargetName, revision: string, artifact: string, because: string) =>
  new Fault(
    "precondition",
    "runtime.quarantined",
    `Revision ${revision} of ${name(target)} does not start: its artifact ${artifact} is quarantined: ${because}`,
    "Deliver a commit that mends it; or lift the quarantine with a reason: cairn quarantine lift.",
    { artifact },
  );

export const liftRefused = (artifact: string, because: string) =>
  new Fault(
    "forbidden",
    "runtime.lift_refused",
    `The quarantine of ${artifact} is not lifted: ${because}`,
    "Lift it at the platform, with a reason: cairn quarantine lift.",
  );

export const treeChanged = (target: TargetName, revision: string, what: string, because: string) =>
  new Fault(
    "precondition",
    "runtime.tree_changed",
    `Revision ${revision} of ${name(target)} does not start: its files are not those of its artifact (${what}), and it can't be unpacked anew: ${because}`,
    "Deliver it anew: its artifact is built again.",
  );
