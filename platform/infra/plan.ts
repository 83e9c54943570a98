import { digestOf } from "../kernel/digest.ts";
import type { InfraPlan, PlannedResource, ResourceState } from "./contract.ts";
import { intentInvalid, moduleUnknown } from "./faults.ts";
import type { Intent } from "./intent.ts";
import { renderManifests, secretsNamedBy } from "./manifests.ts";
import { modules, type Module } from "./modules.ts";
import { applyPatches, parsePatches, type PatchFile } from "./patches.ts";
import { priceOf, type PriceList } from "./prices.ts";

export interface PlanTarget {
  service: string;
  environment: string;
  /** The owner group's name. */
  owner: string;
  patches?: readonly PatchFile[];
  /** Versions of the secrets that people have set, by name. */
  secrets?: Readonly<Record<string, string>>;
}

/**
 * What an intent would change, given the recorded state: pure, so that the same input gives the same plan. Throws `infra.module_unknown`, `infra.intent_invalid`
 * (no port, a parameter that the module does not take), `infra.placeholder_unknown` and `infra.patch_invalid`.
 */
export function planInfra(intent: Intent, state: readonly ResourceState[], target: PlanTarget, prices: PriceList): InfraPlan {
  const { service, environment } = target;
  if (intent.metadata.name !== service) throw intentInvalid("metadata.name", `is ${intent.metadata.name}, but the service is ${service}`);
  const wanted = [
    workload(intent, target, prices),
    ...Object.entries(intent.resources).map(([name, resource]) => ofModule(name, resource, intent, target, prices)),
  ];
  const missingSecrets = secretsNamedBy(intent)
    .map(({ name }) => name)
    .filter((name, at, all) => all.indexOf(name) === at && !Object.hasOwn(target.secrets ?? {}, name));
  const before = new Map(state.map((one) => [one.address, one]));
  const kept = wanted.map((one) => compared(one, before.get(one.address)));
  const gone = state.filter((one) => !wanted.some(({ address }) => address === one.address)).map(deletion);
  const resources = [...kept, ...gone];
  return {
    service,
    environment,
    basis: { intent: digestOf(intent), state: digestOf(state.toSorted((a, b) => (a.address < b.address ? -1 : 1))) },
    resources,
    manifests: applyPatches(renderManifests(intent, target), parsePatches(target.patches ?? [])),
    cost: costOf(kept, prices.currency),
    missingSecrets,
    unknowns: [
      ...missingSecrets.map(
        (name) =>
          `The secret ${name}: nobody has set it for ${environment} (cairn secrets set ${service} ${name} --environment ${environment})`,
      ),
      ...resources.flatMap(({ action, address, unknown }) =>
        action === "create" && unknown.length > 0 ? [`${address}: ${unknown.join(", ")} are known once it is there`] : [],
      ),
      ...kept.flatMap(({ address, monthlyCost }) => (monthlyCost === null ? [`What ${address} costs: the price list does not say`] : [])),
      ...gone
        .filter(({ type }) => type !== "secret")
        .map(({ address }) => `Whether ${address} holds data: looked at when it is removed; if so it is kept under another name`),
    ],
  };
}

type Wanted = Omit<PlannedResource, "action" | "because">;

function workload(intent: Intent, { service }: PlanTarget, prices: PriceList): Wanted {
  const [container] = Object.values(intent.containers);
  const [port] = Object.values(intent.service?.ports ?? {});
  if (!port) throw intentInvalid("service.ports", "an HTTP service has a port");
  const requests = container?.resources?.requests ?? {};
  return {
    address: `http-service/${service}`,
    type: "http-service",
    properties: { replicas: 1, port: port.targetPort ?? port.port, requests, limits: container?.resources?.limits ?? {} },
    unknown: [],
    monthlyCost: priceOf(prices, "http-service", requests),
  };
}

function ofModule(
  name: string,
  { type, params }: Intent["resources"][string],
  intent: Intent,
  target: PlanTarget,
  prices: PriceList,
): Wanted {
  const module: Module | undefined = Object.hasOwn(modules, type) ? modules[type] : undefined;
  if (!module) throw moduleUnknown(name, type, Object.keys(modules));
  for (const [param, value] of Object.entries(params)) {
    const check = Object.hasOwn(module.params, param) ? module.params[param] : undefined;
    if (!check)
      throw intentInvalid(`resources.${name}.params.${param}`, `${type} takes ${Object.keys(module.params).join(", ") || "no parameters"}`);
    if (!check(value)) throw intentInvalid(`resources.${name}.params.${param}`, `${JSON.stringify(value)} is not allowed`);
  }
  return {
    address: `${type}/${name}`,
    type,
    properties: module.outputs === "any" ? { keys: keysOf(name, intent, target) } : module.properties(target, name, params),
    unknown: [...module.unknown],
    monthlyCost: priceOf(prices, type),
  };
}

/** The versions that a workload starts with, so that a value set anew is a change of the plan; null for what nobody has set. */
const keysOf = (resource: string, intent: Intent, { secrets = {} }: PlanTarget): Record<string, string | null> =>
  Object.fromEntries(
    secretsNamedBy(intent)
      .filter((one) => one.resource === resource)
      .map(({ name }) => [name, Object.hasOwn(secrets, name) ? (secrets[name] ?? null) : null]),
  );

function compared(wanted: Wanted, before: ResourceState | undefined): PlannedResource {
  if (!before) return { ...wanted, action: "create", because: "it is not there yet" };
  if (before.state === "creating" || before.state === "deleting")
    return { ...wanted, action: "create", because: `it was interrupted while ${before.state}` };
  const changed = Object.keys({ ...before.properties, ...wanted.properties }).filter(
    (key) => digestOf(before.properties[key] ?? null) !== digestOf(wanted.properties[key] ?? null),
  );
  if (changed.length > 0)
    return { ...wanted, unknown: [], action: "update", because: `${changed.join(", ")} changed`, before: before.properties };
  if (before.state === "updating") return { ...wanted, unknown: [], action: "update", because: "it was interrupted while updating" };
  return { ...wanted, unknown: [], action: "none", because: "it is as it should be" };
}

const deletion = ({ address, type, properties }: ResourceState): PlannedResource => ({
  address,
  type,
  action: "delete",
  properties: { ...properties, destructive: type !== "secret" },
  unknown: [],
  monthlyCost: 0,
  because:
    type === "secret"
      ? "score.yaml no longer names it: its values go after the rollout"
      : "score.yaml no longer names it. DESTRUCTIVE: it is removed after the rollout; what holds data is kept under another name",
});

/** The sum of what is known, with the addresses that it leaves out; nothing known is no sum. */
function costOf(resources: readonly PlannedResource[], currency: string): InfraPlan["cost"] {
  const known = resources.flatMap(({ monthlyCost }) => (monthlyCost === null ? [] : [monthlyCost]));
  const unknown = resources.filter(({ monthlyCost }) => monthlyCost === null).map(({ address }) => address);
  const monthly = known.length === 0 ? null : Math.round(known.reduce((sum, one) => sum + one, 0) * 100) / 100;
  return { monthly, currency, unknown };
}
