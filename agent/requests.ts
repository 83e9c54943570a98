import { isAbsolute } from "node:path";
import { requestInvalid, weightsInvalid } from "./faults.ts";
import type { LogQuery } from "./services/read-logs.ts";
import type { RevisionSpec, TargetName } from "./model.ts";

/** Names become folders and header values: DNS labels only. Throws `agent.request_invalid`. */
export function readTarget(path: Record<string, string>): TargetName {
  const { service = "", environment = "" } = path;
  for (const [what, value] of Object.entries({ service, environment }))
    if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(value))
      throw requestInvalid(`The ${what} ${JSON.stringify(value)} is not a DNS label`);
  return { service, environment };
}

/** A revision as sent. Throws `agent.request_invalid`. */
export function readSpec(body: unknown, id: string): RevisionSpec {
  const { artifact, start, manifests, release, admission } = object(body, "The body");
  const { digest, path } = object(artifact, "artifact");
  if (!/^[0-9a-f]{12}$/.test(id)) throw requestInvalid(`The revision ${JSON.stringify(id)} is not 12 hex digits`);
  if (typeof digest !== "string" || !/^sha256:[0-9a-f]{64}$/.test(digest))
    throw requestInvalid("artifact.digest is not sha256: and 64 hex digits");
  if (typeof path !== "string" || !isAbsolute(path)) throw requestInvalid("artifact.path is not an absolute path");
  if (typeof start !== "string" || start.trim() === "" || start.includes("\0")) throw requestInvalid("start is not a command");
  if (!Array.isArray(manifests)) throw requestInvalid("manifests is not a list");
  if (typeof release !== "string") throw requestInvalid("release is not text");
  return {
    id,
    artifact: { digest, path },
    start,
    manifests: manifests.map((one) => object(one, "An entry of manifests")),
    release,
    admission: admission as RevisionSpec["admission"], // whoever reads it believes nothing of it
  };
}

/** A digest in the path. Throws `agent.request_invalid`. */
export function readDigest(path: Record<string, string>): string {
  const { digest = "" } = path;
  if (!/^sha256:[0-9a-f]{64}$/.test(digest)) throw requestInvalid(`${JSON.stringify(digest)} is not sha256: and 64 hex digits`);
  return digest;
}

/** Why, in words. Throws `agent.request_invalid`. */
export function readBecause(body: unknown): string {
  const { because } = object(body, "The body");
  if (typeof because !== "string" || because.trim() === "") throw requestInvalid("because is not text");
  return because.slice(0, 1000);
}

/** Percent by revision, of those that are known; none at all takes the target out of service. Throws `runtime.weights_invalid`. */
export function readWeights(body: unknown, known: (revision: string) => boolean): Record<string, number> {
  const weights = object(body, "The body");
  let sum = 0;
  for (const [revision, percent] of Object.entries(weights)) {
    if (!known(revision)) throw weightsInvalid(`No revision ${revision} runs here`);
    if (typeof percent !== "number" || !(percent >= 0 && percent <= 100))
      throw weightsInvalid(`The weight of ${revision} is ${JSON.stringify(percent)}`);
    sum += percent;
  }
  if (Object.keys(weights).length > 0 && Math.abs(sum - 100) > 0.01) throw weightsInvalid(`The weights sum to ${sum}, not 100`);
  return Object.fromEntries(Object.entries(weights as Record<string, number>).filter(([, percent]) => percent > 0));
}

/** Throws `agent.request_invalid`. */
export function readLogQuery(query: URLSearchParams): LogQuery & { cursor: string | undefined } {
  const limit = Number(query.get("limit") ?? 200);
  if (!Number.isInteger(limit) || limit < 1 || limit > 10_000) throw requestInvalid("limit is not a number from 1 to 10000");
  const text = query.get("text") || undefined;
  return {
    revision: query.get("revision") ?? undefined,
    limit,
    after: time(query, "after"),
    until: time(query, "until"),
    text,
    cursor: query.get("cursor") ?? undefined,
  };
}

function time(query: URLSearchParams, name: string): Date | undefined {
  const given = query.get(name);
  if (given === null) return undefined;
  const at = new Date(given);
  if (Number.isNaN(at.getTime())) throw requestInvalid(`${name} is not a time`);
  return at;
}

function object(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw requestInvalid(`${what} is not an object`);
  return value as Record<string, unknown>;
}
