import type { Intent } from "./intent.ts";
import { placeholderUnknown, intentInvalid } from "./faults.ts";
import { modules } from "./modules.ts";
import { namespaceOf } from "./names.ts";
import { partsOf } from "./placeholders.ts";

export type Manifest = Record<string, unknown>;

export interface RenderTarget {
  service: string;
  environment: string;
  /** The owner group's name. */
  owner: string;
}

type EnvValue = { value: string } | { valueFrom: { secretKeyRef: { name: string; key: string } } };

/**
 * The Kubernetes objects of an intent in one environment: Namespace, ResourceQuota, Deployment, and a Service where ports are declared. Secrets stand in them as
 * references: `secretKeyRef` names the resource and the key that its module keeps. Throws `infra.placeholder_unknown`.
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
  const variables = Object.entries(container.variables).map(([name, text]) => ({
    name,
    ...resolve(intent, `containers.${containerName}.variables.${name}`, text),
  }));
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

/** A value without secrets as it is; exactly one output of a resource as a reference to its secret. A text around a secret can't be a reference, and is refused. */
function resolve(intent: Intent, path: string, text: string): EnvValue {
  const parts = partsOf(text);
  const [only] = parts;
  if (parts.length === 1 && only && "placeholder" in only && only.placeholder[0] === "resources") {
    const [, name = "", key = "", ...rest] = only.placeholder;
    const outputs = outputsOf(intent, name);
    if (rest.length > 0 || !outputs.includes(key)) throw unknown(intent, path, only.placeholder);
    return { valueFrom: { secretKeyRef: { name, key } } };
  }
  return { value: parts.map((part) => ("text" in part ? part.text : plain(intent, path, part.placeholder))).join("") };
}

function plain(intent: Intent, path: string, placeholder: string[]): string {
  if (placeholder[0] === "resources") {
    const [, name = "", key = ""] = placeholder;
    if (!outputsOf(intent, name).includes(key)) throw unknown(intent, path, placeholder);
    throw intentInvalid(
      path,
      `\${${placeholder.join(".")}} is secret, so it stands alone: take \${resources.${name}.uri}, or a variable of its own for each part`,
    );
  }
  let value: unknown = placeholder[0] === "metadata" ? intent.metadata : undefined;
  for (const key of placeholder.slice(1))
    value = typeof value === "object" && value !== null && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
  if (typeof value !== "string") throw unknown(intent, path, placeholder);
  return value;
}

const outputsOf = (intent: Intent, resource: string): readonly string[] => {
  const type = Object.hasOwn(intent.resources, resource) ? intent.resources[resource]?.type : undefined;
  return (type !== undefined && Object.hasOwn(modules, type) ? modules[type]?.outputs : undefined) ?? [];
};

const unknown = (intent: Intent, path: string, placeholder: string[]) =>
  placeholderUnknown(path, `\${${placeholder.join(".")}}`, [
    "metadata.name",
    ...Object.keys(intent.resources).flatMap((name) => outputsOf(intent, name).map((key) => `resources.${name}.${key}`)),
  ]);
