import type { Envelope } from "@cairn/platform/runtime/admission.ts";

/** What goes over the control socket, as JSON. Times are ISO strings there. */

export interface TargetName {
  service: string;
  environment: string;
}

/** One artifact with one configuration, as the agent starts it. */
export interface RevisionSpec {
  /** 12 hex digits: of the digest over artifact, start command and manifests. */
  id: string;
  artifact: { digest: string; path: string };
  /** Run by `sh -c` in the unpacked artifact; PORT says where to listen. */
  start: string;
  /** Kubernetes objects; the first Deployment's first container is read. */
  manifests: Record<string, unknown>[];
  release: string;
  /** DSSE envelope with the platform's admission of exactly this; without it nothing starts. */
  admission?: Envelope | undefined;
}

export type Health = "starting" | "healthy" | "unhealthy" | "stopped";

/** Upper bounds of the latency histogram in seconds; the last bucket is +Inf. */
export const LATENCY_BOUNDS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5, 5, 10] as const;

export interface RevisionStatus {
  revision: string;
  artifactDigest: string;
  release: string;
  weightPercent: number;
  health: Health;
  /** Why it is not healthy, where that is known. */
  because: string | null;
  /** The decision that let it run; null where it has no valid admission, and then it is neither started nor routed. */
  decision: string | null;
  restarts: number;
  startedAt: string;
  pid: number | null;
  memoryBytes: number | null;
  memoryLimitBytes: number | null;
  /** Counters grow within one epoch. */
  epoch: string;
  requests: number;
  /** Answers of 500 and above, and requests that got none. */
  errors: number;
  latency: number[];
  inFlight: number;
}

/** Something that is not as it was started, or that should not be there. */
export interface Finding {
  /** The same as long as the same thing is found of the same revision. */
  id: string;
  kind: FindingKind;
  revision: string;
  /** A path in the artifact, a process, a port. */
  subject: string;
  detail: string;
  foundAt: string;
}

export type FindingKind =
  | "not_admitted"
  | "quarantined"
  | "file_changed"
  | "file_added"
  | "file_missing"
  | "process_foreign"
  | "program_outside"
  | "port_taken"
  | "listens_on_all";

/** A request that was refused because the platform had not signed for it, or had barred it. */
export interface Attempt {
  id: string;
  at: string;
  operation: string;
  service: string | null;
  environment: string | null;
  revision: string | null;
  code: string;
  because: string;
}

/** A digest that does not start here. */
export interface Quarantined {
  artifact: string;
  because: string;
  since: string;
}

export interface TargetStatus {
  target: TargetName;
  url: string;
  port: number;
  /** Why the address does not listen; null when it does. */
  problem: string | null;
  revisions: RevisionStatus[];
  /** Requests by caller: `orders/production`, `outside`, `unknown`; they grow within one epoch. */
  callers: { epoch: string; counts: { caller: string; requests: number }[] };
  findings: Finding[];
}

export interface PostgresStatus {
  state: "starting" | "running" | "stopped" | "not_owned";
  pid: number | null;
  restarts: number;
  because: string | null;
}

export interface AgentStatus {
  pid: number;
  version: string;
  /** Digest of the code that it runs. */
  code: string;
  startedAt: string;
  uptimeSeconds: number;
  memoryBytes: number;
  postgres: PostgresStatus;
  /** The shell that holds the sockets and restarts the agent. */
  keeperPid: number | null;
  /** What keeps services apart here. */
  isolation: { ownUser: boolean; memory: "watchdog" };
  targets: TargetStatus[];
}

export interface AgentLogLine {
  at: string;
  revision: string;
  stream: "out" | "err" | "agent";
  line: string;
}

/** Lines that came after a place in a target's logs. */
export interface LogTail {
  lines: AgentLogLine[];
  /** The place after them. */
  cursor: string;
  /** What was rotated away before it could be read. */
  lostBytes: number;
}
