import { isFault } from "@cairn/platform/kernel/faults.ts";
import { SERVICE_SECRETS, type SecretStore } from "@cairn/platform/secrets/contract.ts";
import type { TargetName } from "../model.ts";
import type { Workload } from "./manifest.ts";

const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface Surroundings {
  target: TargetName;
  revision: string;
  artifactDigest: string;
  port: number;
  /** Folder of the pinned node. */
  nodeFolder: string;
  homeFolder: string;
  temporaryFolder: string;
  user: string;
  /** Marks every process of the instance, so that none is left behind. */
  instance: string;
  /** Where telemetry goes that the service sends by OTLP, if that is set. */
  otlpEndpoint: string | undefined;
}

/**
 * The whole environment of a service process: nothing is inherited from us. Secrets are resolved here, at the last moment. What is ours can't be
 * overridden, except HOST and where its telemetry goes. Throws `secrets.missing`.
 */
export async function environmentOf(workload: Workload, around: Surroundings, secrets: SecretStore): Promise<Record<string, string>> {
  const asked: Record<string, string> = {};
  for (const { name, from } of workload.env) {
    const value = "value" in from ? expand(from.value, asked) : await reveal(secrets, around.target, from.secret);
    if (value !== undefined) asked[name] = value;
  }
  const heapMegabytes = workload.memoryLimitBytes && Math.floor((workload.memoryLimitBytes * 0.75) / 2 ** 20);
  return {
    LANG: "C.UTF-8",
    HOST: "127.0.0.1",
    ...(heapMegabytes && { NODE_OPTIONS: `--max-old-space-size=${heapMegabytes}` }),
    PATH: `${around.nodeFolder}:${SYSTEM_PATH}`,
    ...(around.otlpEndpoint && { OTEL_EXPORTER_OTLP_ENDPOINT: around.otlpEndpoint }),
    ...asked,
    OTEL_SERVICE_NAME: around.target.service,
    OTEL_RESOURCE_ATTRIBUTES: resourceAttributes(around, asked.OTEL_RESOURCE_ATTRIBUTES),
    HOME: around.homeFolder,
    TMPDIR: around.temporaryFolder,
    USER: around.user,
    PORT: String(around.port),
    CAIRN_SERVICE: around.target.service,
    CAIRN_ENVIRONMENT: around.target.environment,
    CAIRN_REVISION: around.revision,
    CAIRN_INSTANCE: around.instance,
  };
}

/** What of a workload's secrets must not be read in its logs: what people set, and passwords. A host or a port, which a secret may hold too, is none. */
export async function hiddenValues(workload: Workload, target: TargetName, secrets: SecretStore): Promise<string[]> {
  const refs = workload.env.flatMap(({ from }) => ("secret" in from ? [from.secret] : []));
  const hidden = refs.filter(({ name, key }) => name === SERVICE_SECRETS || key === "password" || key === "uri");
  const values = await Promise.all(hidden.map((ref) => reveal(secrets, target, { ...ref, optional: true })));
  return values.filter((value) => value !== undefined);
}

/** What the service asks for, then what we know: of two with one name the last one counts. Source: OpenTelemetry, "Resource SDK"; names by its semantic conventions. */
function resourceAttributes(around: Surroundings, asked: string | undefined): string {
  const ours = {
    "service.version": around.artifactDigest,
    "service.instance.id": around.instance,
    "deployment.environment.name": around.target.environment,
    "cairn.revision": around.revision,
  };
  return [...(asked ? [asked] : []), ...Object.entries(ours).map(([name, value]) => `${name}=${encodeURIComponent(value)}`)].join(",");
}

/** $(NAME) stands for a variable named before; $$ for a dollar sign. Source: Kubernetes, "Define Dependent Environment Variables". */
const expand = (value: string, known: Record<string, string>): string =>
  value.replaceAll(/\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)/g, (whole, name: string | undefined) =>
    name === undefined ? "$" : (known[name] ?? whole),
  );

async function reveal(
  secrets: SecretStore,
  target: TargetName,
  ref: { name: string; key: string; optional: boolean },
): Promise<string | undefined> {
  try {
    return await secrets.reveal({ service: target.service, environment: target.environment, name: ref.name, key: ref.key });
  } catch (error) {
    if (ref.optional && isFault(error) && error.code === "secrets.missing") return undefined;
    throw error;
  }
}
