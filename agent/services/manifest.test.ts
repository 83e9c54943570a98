import { expect, test } from "vitest";
import { aDeployment } from "../testing/fixture.ts";
import { environmentOf } from "./environment.ts";
import { readWorkload } from "./manifest.ts";
import { secretMissing } from "@cairn/platform/secrets/faults.ts";
import type { SecretStore } from "@cairn/platform/secrets/contract.ts";

test.each([
  ["two Deployments", [aDeployment(), aDeployment()]],
  ["no container", [{ kind: "Deployment", spec: { template: { spec: { containers: [] } } } }]],
  ["a command as probe", [aDeployment({ readinessProbe: { exec: { command: ["true"] } } })]],
  ["envFrom", [aDeployment({ envFrom: [{ secretRef: { name: "db" } }] })]],
  ["a value that is not text", [aDeployment({ env: [{ name: "A", value: 1 }] })]],
  ["a reference of another kind", [aDeployment({ env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }] })]],
  ["a name that is none", [aDeployment({ env: [{ name: "A=B", value: "x" }] })]],
  ["memory in words", [aDeployment({ resources: { limits: { memory: "much" } } })]],
  ["no memory to speak of", [aDeployment({ resources: { limits: { memory: "100" } } })]],
  ["a period below a second", [aDeployment({ livenessProbe: { httpGet: { path: "/" }, periodSeconds: 0 } })]],
  ["a path that is none", [aDeployment({ livenessProbe: { httpGet: { path: "x y" } } })]],
])("readWorkload() refuses %s instead of ignoring it", (_what, manifests) => {
  expect(() => readWorkload(manifests)).toThrow(expect.objectContaining({ code: "runtime.manifest_refused" }));
});

test("readWorkload() gives Kubernetes' defaults", () => {
  const probe = { path: "/healthz", periodSeconds: 10, timeoutSeconds: 1, failureThreshold: 3, initialDelaySeconds: 0 };
  expect(readWorkload([{ kind: "Service" }, aDeployment({ resources: { limits: { memory: "1.5Gi" } } })])).toEqual({
    env: [],
    memoryLimitBytes: 1.5 * 2 ** 30,
    readiness: probe,
    liveness: undefined,
    startSeconds: 60,
    graceSeconds: 5,
  });
  expect(readWorkload([])).toMatchObject({ readiness: undefined, graceSeconds: 30 });
});

test("environmentOf() resolves secrets and earlier names, inherits nothing, and lets nobody override what is ours", async () => {
  const secrets = {
    reveal: async (ref: { service: string; environment: string; name: string; key: string }) => {
      if (ref.name !== "db") throw secretMissing(ref);
      return `${ref.service}-${ref.environment}-${ref.key}`;
    },
  } as SecretStore;
  const around = {
    target: { service: "orders", environment: "dev" },
    revision: "aaaaaaaaaaaa",
    artifactDigest: "sha256:a1",
    port: 4000,
    nodeFolder: "/node",
    homeFolder: "/h",
    temporaryFolder: "/t",
    user: "u",
    instance: "i",
    otlpEndpoint: "http://127.0.0.1:4318",
  };
  const env = [
    { name: "PASSWORD", valueFrom: { secretKeyRef: { name: "db", key: "password" } } },
    { name: "URL", value: "x:$(PASSWORD)@$(UNKNOWN)$$(PASSWORD)" },
    { name: "PORT", value: "1" },
    { name: "OTEL_SERVICE_NAME", value: "somebody-else" },
    { name: "OTEL_RESOURCE_ATTRIBUTES", value: "cloud.region=here" },
    { name: "ABSENT", valueFrom: { secretKeyRef: { name: "gone", key: "k", optional: true } } },
  ];
  const given = await environmentOf(readWorkload([aDeployment({ env })]), around, secrets);
  expect(given).toMatchObject({ PASSWORD: "orders-dev-password", URL: "x:orders-dev-password@$(UNKNOWN)$(PASSWORD)", PORT: "4000" });
  expect(given).toMatchObject({
    OTEL_SERVICE_NAME: "orders",
    OTEL_RESOURCE_ATTRIBUTES:
      "cloud.region=here,service.version=sha256%3Aa1,service.instance.id=i,deployment.environment.name=dev,cairn.revision=aaaaaaaaaaaa",
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318",
  });
  expect(Object.keys(given).sort()).toEqual(
    [
      "CAIRN_ENVIRONMENT",
      "CAIRN_INSTANCE",
      "CAIRN_REVISION",
      "CAIRN_SERVICE",
      "HOME",
      "HOST",
      "LANG",
      "OTEL_EXPORTER_OTLP_ENDPOINT",
      "OTEL_RESOURCE_ATTRIBUTES",
      "OTEL_SERVICE_NAME",
      "PASSWORD",
      "PATH",
      "PORT",
      "TMPDIR",
      "URL",
      "USER",
    ].sort(),
  );
  const needed = readWorkload([aDeployment({ env: [{ name: "A", valueFrom: { secretKeyRef: { name: "gone", key: "k" } } }] })]);
  await expect(environmentOf(needed, around, secrets)).rejects.toMatchObject({ code: "secrets.missing" });
});
