/** What goes over the control socket, as JSON. Times are ISO strings there. */

export interface TargetName {
  service: string;
  environment: string;
}

/** One artifact with one configuration, as the agent starts it. */
export interface RevisionSpec {
  /** 12 hex digits. */
  id: string;
  artifact: { digest: string; path: string };
  /** Run by `sh -c` in the unpacked artifact; PORT says where to listen. */
  start: string;
  /** Kubernetes objects; the first Deployment's first container is read. */
  manifests: Record<string, unknown>[];
  release: string;
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

export interface TargetStatus {
  target: TargetName;
  url: string;
  port: number;
  /** Why the address does not listen; null when it does. */
  problem: string | null;
  revisions: RevisionStatus[];
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
