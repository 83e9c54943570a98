import { createHash } from "node:crypto";
import type { InfraTarget } from "./contract.ts";

/** What a resource type gives to the workload, and how it is planned. Carrying it out is the provider's. */
export interface Module {
  type: string;
  /** Keys of the secret that it leaves under the resource's name; all that a workload learns of it. `any`: those that people have set. */
  outputs: readonly string[] | "any";
  properties(target: InfraTarget, resource: string, params: Readonly<Record<string, unknown>>): Record<string, unknown>;
  /** Known only once it is there. */
  unknown: readonly string[];
  /** Names of parameters, each with its check. */
  params: Readonly<Record<string, (value: unknown) => boolean>>;
}

/** A database and a role of the service's own, which nobody else may connect to. */
const postgres: Module = {
  type: "postgres",
  outputs: ["host", "port", "name", "database", "username", "password", "uri"],
  unknown: ["host", "port", "password", "uri"],
  params: { connectionLimit: (value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 200 },
  properties: (target, resource, params) => {
    const name = databaseName(target, resource);
    return { database: name, role: name, connectionLimit: params.connectionLimit ?? 30, secret: resource };
  },
};

/** What people set for the service (`cairn secrets set`). Its outputs are their names. */
const secret: Module = { type: "secret", outputs: "any", unknown: [], params: {}, properties: () => ({}) };

export const modules: Readonly<Record<string, Module>> = { postgres, secret };

/** `svc_<service>_<environment>_<resource>`. PostgreSQL keeps 63 bytes of a name: a longer one is cut and ends in its hash, so that two never become one. */
export function databaseName({ service, environment }: InfraTarget, resource: string): string {
  const whole = `svc_${service}_${environment}_${resource}`;
  if (whole.length <= 63) return whole;
  return `${whole.slice(0, 50)}_${createHash("sha256").update(whole).digest("hex").slice(0, 12)}`;
}
