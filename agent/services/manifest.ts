import { manifestRefused } from "../faults.ts";

export type EnvSource = { value: string } | { secret: { name: string; key: string; optional: boolean } };

export interface Probe {
  /** Undefined: the port must accept a connection. */
  path: string | undefined;
  periodSeconds: number;
  timeoutSeconds: number;
  failureThreshold: number;
  initialDelaySeconds: number;
}

/** What the manifests ask of whoever runs the service. */
export interface Workload {
  env: { name: string; from: EnvSource }[];
  memoryLimitBytes: number | undefined;
  readiness: Probe | undefined;
  liveness: Probe | undefined;
  /** How long a new process has to become ready. */
  startSeconds: number;
  graceSeconds: number;
}

type Json = Record<string, unknown>;

/**
 * Reads the first container of the Deployment. Gives Kubernetes' defaults for what is left out; without any object, a process that only has to listen.
 * Throws `runtime.manifest_refused` for what it would have to ignore in silence.
 */
export function readWorkload(manifests: readonly Json[]): Workload {
  const deployments = manifests.filter((object) => object.kind === "Deployment");
  if (deployments.length > 1) throw manifestRefused(`The manifests hold ${deployments.length} Deployments`);
  const spec = at(deployments[0], "spec");
  const pod = at(at(spec, "template"), "spec");
  const container = list(pod?.containers, "containers")[0];
  if (deployments[0] && !container) throw manifestRefused("The Deployment has no container");
  if (container?.envFrom !== undefined) throw manifestRefused("envFrom is not supported: name each variable");
  const startup = probe(container?.startupProbe, "startupProbe");
  const memory = at(at(container, "resources"), "limits")?.memory;
  return {
    env: list(container?.env, "env").map(envEntry),
    memoryLimitBytes: memory === undefined ? undefined : quantity(memory, "resources.limits.memory"),
    readiness: probe(container?.readinessProbe, "readinessProbe"),
    liveness: probe(container?.livenessProbe, "livenessProbe"),
    startSeconds: startup ? startup.initialDelaySeconds + startup.failureThreshold * startup.periodSeconds : 60,
    graceSeconds: count(pod?.terminationGracePeriodSeconds, 30, 0, "terminationGracePeriodSeconds"),
  };
}

function envEntry(entry: Json): { name: string; from: EnvSource } {
  const { name } = entry;
  if (typeof name !== "string" || !/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(name))
    throw manifestRefused(`env has an entry named ${JSON.stringify(name)}`);
  if (entry.valueFrom === undefined) {
    const value = entry.value ?? "";
    if (typeof value !== "string") throw manifestRefused(`env ${name} has a value that is not text: quote it`);
    return { name, from: { value } };
  }
  const ref = at(at(entry, "valueFrom"), "secretKeyRef");
  if (typeof ref?.name !== "string" || typeof ref.key !== "string")
    throw manifestRefused(`env ${name}: of valueFrom only secretKeyRef with name and key is supported`);
  return { name, from: { secret: { name: ref.name, key: ref.key, optional: ref.optional === true } } };
}

function probe(value: unknown, what: string): Probe | undefined {
  if (value === undefined || value === null) return undefined;
  const given = object(value, what);
  const http = at(given, "httpGet");
  if (!http && !given.tcpSocket) throw manifestRefused(`${what}: only httpGet and tcpSocket are supported`);
  const path = http ? (http.path ?? "/") : undefined;
  if (path !== undefined && (typeof path !== "string" || !/^\/[\x21-\x7e]*$/.test(path)))
    throw manifestRefused(`${what}: the path ${JSON.stringify(path)} is not one`);
  return {
    path,
    periodSeconds: count(given.periodSeconds, 10, 1, `${what}.periodSeconds`),
    timeoutSeconds: count(given.timeoutSeconds, 1, 1, `${what}.timeoutSeconds`),
    failureThreshold: count(given.failureThreshold, 3, 1, `${what}.failureThreshold`),
    initialDelaySeconds: count(given.initialDelaySeconds, 0, 0, `${what}.initialDelaySeconds`),
  };
}

const SUFFIX: Record<string, number> = { "": 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 };

/** A quantity of bytes in Kubernetes' notation: 134217728, 128Mi, 1.5G. */
function quantity(value: unknown, what: string): number {
  const [, digits, suffix = ""] = /^([0-9]+(?:\.[0-9]+)?)(k|M|G|T|Ki|Mi|Gi|Ti)?$/.exec(String(value)) ?? [];
  const bytes = Number(digits) * (SUFFIX[suffix] ?? Number.NaN);
  if (!Number.isFinite(bytes) || bytes < 1024 * 1024)
    throw manifestRefused(`${what} is ${JSON.stringify(value)}: give at least 1Mi, as 128Mi or 1G`);
  return Math.floor(bytes);
}

function count(value: unknown, otherwise: number, least: number, what: string): number {
  if (value === undefined || value === null) return otherwise;
  if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > 86_400)
    throw manifestRefused(`${what} is ${JSON.stringify(value)}`);
  return value;
}

function object(value: unknown, what: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw manifestRefused(`${what} is not an object`);
  return value as Json;
}

function at(parent: Json | undefined, name: string): Json | undefined {
  const value = parent?.[name];
  return value === undefined || value === null ? undefined : object(value, name);
}

function list(value: unknown, what: string): Json[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw manifestRefused(`${what} is not a list`);
  return value.map((item) => object(item, `an entry of ${what}`));
}
