import { secretKey, SERVICE_SECRETS } from "../secrets/contract.ts";
import { SecretName } from "../secrets/model.ts";
import type { Intent } from "./intent.ts";
import { placeholderUnknown, intentInvalid } from "./faults.ts";
import { modules, type Module } from "./modules.ts";
import { namespaceOf } from "./names.ts";
import { partsOf } from "./placeholders.ts";

export type Manifest = Record<string, unknown>;

export interface RenderTarget {
  service: string;
  environment: string;
  /** The owner group's name. */
  owner: string;
  /** Versions of the secrets that people have set, by name. */
  secrets?: Readonly<Record<string, string>>;
}

interface EnvEntry {
  name: string;
  value?: string;
  valueFrom?: { secretKeyRef: { name: string; key: string } };
}

/**
 * The Kubernetes objects of an intent in one environment: Namespace, ResourceQuota, Deployment, and a Service where ports are declared. Secrets stand in them as
 * references: `secretKeyRef` names the resource and the key that its module keeps, or the version of a secret that people have set. Throws `infra.placeholder_unknown`.
 */
export function renderManifests(intent: Intent, target: RenderTarget): Manifest[] {
  const [[containerName, container] = []] = Object.entries(intent.containers);
  if (containerName === undefined || !container) throw intentInvalid("containers", "exactly one container");
  const { service, environment, owner } = target;
  const namespace = namespaceOf(service, environment);
  const selector = { "app.kubernetes.io/name": service };
  const labels = { ...selector, "managed-by": "platform", "owner-team": owner, service, environment };
  const ports = Object.entries(intent.service?.ports ?? {}).map(([name, one]) => ({
    name,
    ...one,
    targetPort: one.targetPort ?? one.port,
  }));
  const [first] = ports;
  const variables = environmentOf(intent, containerName, container.variables, target.secrets ?? {});
  const told = first && !("PORT" in container.variables) ? [{ name: "PORT", value: String(first.targetPort) }] : [];

  return [
    {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: namespace, labels: { "managed-by": "platform", "owner-team": owner, service, environment } },
    },
    {
      apiVersion: "v1",
      kind: "ResourceQuota",
      metadata: { name: "default-quota", namespace, labels },
      spec: { hard: { cpu: "4", memory: "8Gi", pods: "20" } },
    },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: service, namespace, labels, ...(intent.metadata.annotations ? { annotations: intent.metadata.annotations } : {}) },
      spec: {
        replicas: 1,
        selector: { matchLabels: selector },
        strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
        template: {
          metadata: { labels },
          spec: {
            automountServiceAccountToken: false,
            terminationGracePeriodSeconds: 30,
            securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
            containers: [
              {
                name: containerName,
                image: container.image === "." ? `${service}:built` : container.image,
                ...(container.command ? { command: container.command } : {}),
                ...(container.args ? { args: container.args } : {}),
                env: [...told, ...variables],
                ...(ports.length > 0
                  ? { ports: ports.map(({ name, targetPort, protocol }) => ({ name, containerPort: targetPort, protocol })) }
                  : {}),
                ...(container.resources ? { resources: container.resources } : {}),
                ...(container.livenessProbe ? { livenessProbe: container.livenessProbe } : {}),
                ...(container.readinessProbe ? { readinessProbe: container.readinessProbe } : {}),
                securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
              },
            ],
          },
        },
      },
    },
    ...(first
      ? [
          {
            apiVersion: "v1",
            kind: "Service",
            metadata: { name: service, namespace, labels },
            spec: { selector, ports: ports.map(({ name, port, targetPort, protocol }) => ({ name, port, targetPort, protocol })) },
          },
        ]
      : []),
  ];
}

/**
 * The variables as Kubernetes takes them. Exactly one output of a resource becomes a reference to its secret; for a text around outputs each of them is a variable of
 * its own before it, which the text names as `$(...)`: so no value of a secret ever stands in an object.
 */
function environmentOf(
  intent: Intent,
  container: string,
  variables: Readonly<Record<string, string>>,
  versions: Readonly<Record<string, string>>,
): EnvEntry[] {
  const parts = new Map<string, EnvEntry>();
  const entries = Object.entries(variables).map(([name, text]): EnvEntry => {
    const path = `containers.${container}.variables.${name}`;
    const found = partsOf(text);
    const [only] = found;
    if (found.length === 1 && only && "placeholder" in only && only.placeholder[0] === "resources")
      return { name, valueFrom: secretOf(intent, path, only.placeholder, versions) };
    const value = found.map((part) => {
      if ("text" in part) return literal(part.text);
      if (part.placeholder[0] !== "resources") return literal(metadataOf(intent, path, part.placeholder));
      const valueFrom = secretOf(intent, path, part.placeholder, versions);
      const helper = part.placeholder.join("_").replaceAll("-", "_").toUpperCase();
      if (helper in variables) throw intentInvalid(path, `needs the name ${helper} for a part of it: call that variable something else`);
      parts.set(helper, { name: helper, valueFrom });
      return `$(${helper})`;
    });
    return { name, value: value.join("") };
  });
  return [...parts.values(), ...entries];
}

/** Kubernetes reads `$(NAME)` in a value as a variable; Score does not. */
const literal = (text: string): string => text.replaceAll("$(", () => "$$(");

function secretOf(
  intent: Intent,
  path: string,
  placeholder: string[],
  versions: Readonly<Record<string, string>>,
): NonNullable<EnvEntry["valueFrom"]> {
  const [, name = "", key = "", ...rest] = placeholder;
  const outputs = outputsOf(intent, name);
  if (rest.length > 0 || (outputs === "any" ? !SecretName.safeParse(key).success : !outputs.includes(key)))
    throw unknown(intent, path, placeholder);
  if (outputs !== "any") return { secretKeyRef: { name, key } };
  // One that is not set has no version: nothing is kept under its bare name, so a process with it does not start.
  const version = Object.hasOwn(versions, key) ? versions[key] : undefined;
  return { secretKeyRef: { name: SERVICE_SECRETS, key: version === undefined ? key : secretKey(key, version) } };
}

/** Names of the secrets that people have to set for a workload, each with the resource through which it asks for them. Throws `infra.placeholder_unknown`. */
export function secretsNamedBy(intent: Intent): { resource: string; name: string }[] {
  const found = Object.entries(intent.containers).flatMap(([container, { variables }]) =>
    Object.entries(variables).flatMap(([variable, text]) =>
      partsOf(text).flatMap((part) => {
        if (!("placeholder" in part) || part.placeholder[0] !== "resources") return [];
        const [, resource = "", name = ""] = part.placeholder;
        if (outputsOf(intent, resource) !== "any") return [];
        secretOf(intent, `containers.${container}.variables.${variable}`, part.placeholder, {});
        return [{ resource, name }];
      }),
    ),
  );
  const byPlace = new Map(found.map((one) => [`${one.resource}.${one.name}`, one]));
  return [...byPlace.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function metadataOf(intent: Intent, path: string, placeholder: string[]): string {
  let value: unknown = placeholder[0] === "metadata" ? intent.metadata : undefined;
  for (const key of placeholder.slice(1))
    value = typeof value === "object" && value !== null && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
  if (typeof value !== "string") throw unknown(intent, path, placeholder);
  return value;
}

const outputsOf = (intent: Intent, resource: string): Module["outputs"] => {
  const type = Object.hasOwn(intent.resources, resource) ? intent.resources[resource]?.type : undefined;
  return (type !== undefined && Object.hasOwn(modules, type) ? modules[type]?.outputs : undefined) ?? [];
};

const unknown = (intent: Intent, path: string, placeholder: string[]) =>
  placeholderUnknown(path, `\${${placeholder.join(".")}}`, [
    "metadata.name",
    ...Object.keys(intent.resources).flatMap((name) => {
      const outputs = outputsOf(intent, name);
      return outputs === "any" ? [`resources.${name}.THE_SECRETS_NAME`] : outputs.map((key) => `resources.${name}.${key}`);
    }),
  ]);
