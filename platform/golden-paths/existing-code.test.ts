import { join } from "node:path";
import { componentEntityV1alpha1Validator, type Entity } from "@backstage/catalog-model";
import { parseContract } from "../ci/contract-file.ts";
import { parseScore } from "../infra/intent.ts";
import { readSlos } from "../observability/openslo.ts";
import { loadGoldenPath } from "./load.ts";
import { renderGoldenPath } from "./render.ts";
import { expect, test } from "vitest";
import { parse } from "yaml";

const folder = join(import.meta.dirname, "../../library/golden-paths/existing-code");
const REQUIRED = { service_name: "orders", owner_team: "team-a", start: "node server.js", test: "npm test" };

test("existing-code asks at most four questions, and gives what the platform reads and no code", async () => {
  const { template } = await loadGoldenPath(folder);
  expect(template.parameters.filter(({ required }) => required).map(({ name }) => name)).toEqual(Object.keys(REQUIRED));
  const files = await render(REQUIRED);
  expect([...files.keys()]).toEqual([
    ".github/workflows/ci.yaml",
    "CODEOWNERS",
    "cairn.lock",
    "cairn.yaml",
    "catalog-info.yaml",
    "docs/index.md",
    "docs/runbook.md",
    "observability/alertmanager-route.yaml",
    "observability/dashboard.json",
    "observability/rules.yaml",
    "score.yaml",
    "slo.yaml",
  ]);
  expect(await componentEntityV1alpha1Validator.check(parse(files.get("catalog-info.yaml") ?? "") as Entity)).toBe(true);
  expect(readSlos(files.get("slo.yaml") ?? "", "orders")).toMatchObject({ slos: [{}, {}], problems: [] });
  expect(parseScore(files.get("score.yaml") ?? "").containers).toMatchObject({
    main: { readinessProbe: { httpGet: { path: "/healthz" } } },
  });
  expect(parseContract(files.get("cairn.yaml") ?? "")).toMatchObject({
    ci: { test: "npm test", junit: "reports/junit.xml", include: ["."] },
    start: "node server.js",
  });
});

test("its commands stand in cairn.yaml as they were given, whatever they hold", async () => {
  const hostile = `a "b" 'c' #d: {e} \${f} \\g | h && i`;
  const files = await render({ ...REQUIRED, start: hostile, test: hostile, build: hostile, include: "  bin  a:b #c ", junit: "out/x.xml" });
  expect(parseContract(files.get("cairn.yaml") ?? "")).toMatchObject({
    ci: { build: hostile, test: hostile, junit: "out/x.xml", include: ["bin", "a:b", "#c"] },
    start: hostile,
  });
  await expect(render({ ...REQUIRED, health_path: "ready: {}" })).rejects.toMatchObject({ code: "golden_paths.answer_refused" });
});

async function render(answers: Record<string, string>): Promise<Map<string, string>> {
  const { files } = await renderGoldenPath(await loadGoldenPath(folder), answers, {
    platform_url: "http://127.0.0.1:7070",
    repository_url: "http://127.0.0.1:7070/git/orders.git",
  });
  return new Map(files.map(({ path, content }) => [path, content]));
}
