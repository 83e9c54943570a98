import { execFile } from "node:child_process";
import { createHmac, randomBytes, randomInt } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { connectAgent } from "@cairn/agent/client.ts";
import { Client as Postgres } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, root } from "../scripts/demo/tools.ts";
import { addressOf, delivered, git, apiOf, processes, type Change, type Api, type Release, type Run, apiBy } from "./outside.ts";
import { startPlatform, type Platform } from "./platform.ts";

// A service in a language that Cairn does not know, and what policy stops: all of it enters by git push.
const service = `shell-${randomInt(36 ** 5).toString(36)}`;
const PROBES = {
  readinessProbe: { httpGet: { path: "/healthz", port: 8080 } },
  livenessProbe: { httpGet: { path: "/healthz", port: 8080 } },
};
const RESOURCES = { resources: { requests: { cpu: "10m", memory: "16Mi" }, limits: { cpu: "200m", memory: "128Mi" } } };

const component = (owner: string, tier: string) => `apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: ${service}
  description: Files, made by a shell script
  labels: { cairn.dev/tier: ${tier} }
  annotations: { cairn.dev/oncall-rotation: shell-primary }
spec: { type: service, lifecycle: experimental, owner: "group:default/${owner}" }
`;
const score = (container: object) =>
  JSON.stringify({
    apiVersion: "score.dev/v1b1",
    metadata: { name: service },
    service: { ports: { http: { port: 80, targetPort: 8080 } } },
    containers: { main: { image: ".", ...container } },
  });
const patch = JSON.stringify({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: service },
  spec: { template: { spec: { containers: [{ name: "main", image: `${service}:built`, ...PROBES, ...RESOURCES }] } } },
});
const report = (failed: boolean) => `<testsuite name="shell"><testcase name="builds">${failed ? "<failure/>" : ""}</testcase></testsuite>`;

/** All of the service: files that a shell script makes, served by whatever HTTP server is there. */
const FILES = {
  "catalog-info.yaml": component("team-shell", "tier-3"),
  "score.yaml": score({ ...PROBES, ...RESOURCES }),
  "k8s/deployment.yaml": patch,
  "cairn.yaml": `apiVersion: cairn.dev/v1
kind: Contract
ci:
  build: sh build.sh
  test: sh test.sh
  junit: out/report.xml
  include: [public, serve.sh]
start: exec sh serve.sh
`,
  "slo.yaml": `apiVersion: openslo/v1\nkind: SLO\nmetadata: { name: ${service}-availability }\nspec: { objectives: [{ target: 0.99 }] }\n`,
  "docs/runbook.md": "# Runbook\nStart it again.\n",
  CODEOWNERS: "* @team-shell\n",
  greeting: "hello\n",
  "build.sh": "set -eu\nmkdir -p public\ncp greeting public/index.html\necho ok >public/healthz\n",
  "test.sh": `set -eu\nmkdir -p out\ngrep -q ok public/healthz\necho '${report(false)}' >out/report.xml\n`,
  "serve.sh": `cd public
if python3 -c "import http.server" 2>/dev/null; then exec python3 -m http.server --bind 127.0.0.1 "$PORT"; fi
exec node -e 'const{readFileSync}=require("fs");require("http").createServer((q,r)=>{try{r.end(readFileSync("."+(q.url==="/"?"/index.html":q.url)))}catch{r.writeHead(404).end()}}).listen(+process.env.PORT,"127.0.0.1")'
`,
};

let platform: Platform;
let folder: string;
let work: string;
let api: Api;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cairn-shell-"));
  work = join(folder, "work");
  platform = await startPlatform();
  api = await apiOf(platform);
  await platform.cairn("org", "create-team", "team-shell");
  const answers = ["-a", `service_name=${service}`, "-a", "owner_team=team-shell", "-a", "database=false"];
  await platform.cairn("create", "http-api", ...answers, "--apply");
  await git(platform, folder, "clone", "--quiet", `${platform.url}/git/${service}.git`, "work");
});
afterAll(async () => {
  await platform?.stop();
  await rm(folder, { recursive: true, force: true });
});

test("a shell script and an HTTP server go to production by declared commands alone", async () => {
  await git(platform, work, "checkout", "--quiet", "cairn/first-change");
  await git(platform, work, "rm", "--quiet", "-r", ".");
  await commit(FILES);
  await git(platform, work, "push", "--quiet", "origin", "cairn/first-change");
  const { head } = await platform.cairn<Change>("changes", "show", `${service}/1`);
  expect(head).toBe(await git(platform, work, "rev-parse", "HEAD"));
  const change = await platform.cairn<Change>("changes", "show", `${service}/1`, "--watch");
  expect(states(change)).toEqual({ descriptor: "passed", policy: "passed", ci: "passed" });

  const merged = await merge(1);
  expect(await delivered(api, service, merged)).toMatchObject({ state: "success", error: null });
  expect(await greeting()).toBe("hello\n");
});

test("a change request that breaks rules for owner, health checks, resources, SLO and tests can't be merged, and is told why", async () => {
  const number = await propose("bad", "origin/main", {
    "catalog-info.yaml": component("team-nobody", "tier-1"),
    "score.yaml": score({}),
    "k8s/deployment.yaml": undefined,
    "slo.yaml": undefined,
    "test.sh": `mkdir -p out\necho '${report(true)}' >out/report.xml\nexit 1\n`,
  });
  await expect(platform.cairn("changes", "show", `${service}/${number}`, "--watch")).rejects.toThrow(/failed/);
  const change = await platform.cairn<Change>("change", `${service}/${number}`);
  const check = (name: string) => change.checks.find((each) => each.name === name);
  expect(check("policy")?.state).toBe("failed");
  for (const rule of ["owner-exists", "health-check-set", "resources-set", "slo-and-runbook"])
    expect(check("policy")?.details.join("\n"), rule).toContain(`${rule} (denied)`);
  expect(check("ci")).toMatchObject({ state: "failed", details: [expect.stringContaining("test")] });
  expect(change.merge).toMatchObject({ allowed: false, code: "forge.checks_not_passed" });
  await expect(platform.cairn("merge", `${service}/${number}`)).rejects.toThrow(/Not every check has passed/);
});

test("the CLI gives the server's decision without it, by rules that were pulled; without rules it is unknown; a decision is made again elsewhere", async () => {
  interface Decided {
    id: string;
    outcome: string;
    results: object[];
    bundle: string;
    evaluator: string;
  }
  const { digest } = await platform.cairn<{ digest: string }>("policies", "pull");
  const { decisions } = await api<{ decisions: Decided[] }>(`/api/decisions?service=${service}&point=change&outcome=deny`);
  const decision = decisions[0];
  expect(decision?.bundle).toBe(digest);

  // The checkout is still at the change request that was denied. Nobody answers at this address.
  const alone = { ...platform.env, CAIRN_URL: "http://127.0.0.1:1", CAIRN_TOKEN: "" };
  const check = await ended(alone, "check", work, "--digest", digest);
  expect(check.code).toBe(1);
  const { outcome, judgement } = (check.answer as { policy: { outcome: string; judgement: Decided } }).policy;
  expect({ outcome, results: judgement.results, bundle: judgement.bundle, evaluator: judgement.evaluator }).toEqual({
    outcome: "deny",
    results: decision?.results,
    bundle: digest,
    evaluator: decision?.evaluator,
  });
  const bare = await ended({ ...alone, XDG_CONFIG_HOME: join(folder, "nothing") }, "check", work);
  expect(bare).toMatchObject({ code: 1, answer: { policy: { outcome: "unknown", judgement: null } } });

  const file = join(folder, "decision.json");
  expect(await platform.cairn("replay", decision?.id ?? "", "--out", file)).toMatchObject({ same: true, outcome: "deny" });
  expect(await ended(alone, "replay", file)).toMatchObject({ code: 0, answer: { decision: decision?.id, same: true } });
  const kept = await readFile(file, "utf8");
  await writeFile(file, kept.replace('"ownerExists":false', '"ownerExists":true'));
  const changed = await ended(alone, "replay", file);
  expect(changed).toMatchObject({ code: 1, answer: { same: false } });
  expect((changed.answer as { differences: string[] }).differences.join("\n")).toMatch(
    /fact service.ownerExists .*rule owner-exists answered denied/s,
  );
});

test("a plan that policy denies is shown with what to do, and can't be carried out", async () => {
  const { digest, plan } = await api<{ digest: string; plan: { decisions: { outcome: string; results: Record<string, unknown>[] }[] } }>(
    "/api/plans",
    {
      goldenPath: "http-api",
      answers: { service_name: `${service}-two`, owner_team: "team-nobody", database: false },
    },
  );
  expect(plan.decisions.map(({ outcome }) => outcome)).toEqual(["deny", "deny", "deny"]);
  expect(plan.decisions[2]?.results.find(({ rule }) => rule === "owner-exists")).toMatchObject({
    outcome: "denied",
    subject: `component:default/${service}-two in production`,
    message: expect.stringContaining("team-nobody"),
    fix: expect.stringContaining("a group that exists"),
    exceptionsBy: [],
    mode: "enforce",
  });
  await expect(api(`/api/plans/${digest}/apply`, {})).rejects.toThrow(/403.*plans\.denied/s);
  const { decisions } = await api<{ decisions: { outcome: string }[] }>(`/api/decisions?service=${service}-two&point=plan`);
  expect(decisions.map(({ outcome }) => outcome)).toEqual(["deny", "deny", "deny"]);
});

test("a release waits for the one before it, and what serves already is known when its turn has come", { timeout: 300_000 }, async () => {
  const run = async (merged: string) => api<Run>(`/api/runs/deliver-${service}-${merged.slice(0, 12)}`);
  await git(platform, work, "fetch", "--quiet", "origin");
  const other = await merge(await propose("other", "origin/main", { greeting: "other\n" }));
  const release = `rel-${service}-production-${other.slice(0, 12)}`;
  // Nobody calls production, so its canary takes its time.
  await eventually("the canary", 120, async () =>
    (await api<Release>(`/api/releases/${release}`).catch(() => undefined))?.state === "rolling_out" ? true : undefined,
  );
  const back = await merge(await propose("back", other, { greeting: "hello\n" }));
  await eventually("its turn", 120, async () =>
    (await run(back)).steps.some(({ name, detail }) => name === "plan production" && detail === `waits for release ${release}`)
      ? true
      : undefined,
  );
  await api(`/api/releases/${release}/answer`, { action: "roll_back", because: "the one before was better" });
  expect(await delivered(api, service, other)).toMatchObject({ state: "failed", error: { code: "workflows.release_rolled_back" } });
  expect(await delivered(api, service, back)).toMatchObject({ state: "success" });
  for (const environment of ["dev", "staging", "production"]) expect(await greeting(environment), environment).toBe("hello\n");
});

test(
  "what passed its checks and is wrong all the same is stopped at its release, by rule: health checks, resources, provenance, tests, owner, SLO",
  { timeout: 900_000 },
  async () => {
    // Each pair is made from one commit; either is good, and both together are not.
    const main = await git(platform, work, "rev-parse", "origin/main");
    const failing = `set -eu\nmkdir -p out\nif grep -q hello greeting; then echo '${report(false)}' >out/report.xml; else echo '${report(true)}' >out/report.xml; fi\n`;
    const bareScore = await propose("bare-score", main, { "score.yaml": score({}) });
    const noPatch = await propose("no-patch", main, { "k8s/deployment.yaml": undefined });
    const newTest = await propose("new-test", main, { "test.sh": failing });
    const newGreeting = await propose("new-greeting", main, { greeting: "goodbye\n" });
    await platform.cairn("org", "create-team", "team-gone");
    const given = await propose("given", main, { "catalog-info.yaml": component("team-gone", "tier-3") });
    const noSlo = await propose("no-slo", main, { "slo.yaml": undefined });
    const tierOne = await propose("tier-one", main, {
      "catalog-info.yaml": component("team-shell", "tier-1"),
      "observability/alertmanager-route.yaml": "route: { receiver: shell }\nreceivers: [{ name: shell }]\n",
    });

    await merge(bareScore);
    expect(await refusedBy(await merge(noPatch))).toMatch(/dev.*health-check-set: .*resources-set: /);

    await git(platform, work, "fetch", "--quiet", "origin");
    const repaired = await merge(await propose("repair", "origin/main", { "k8s/deployment.yaml": patch }));
    await revokeProvenance(repaired);
    expect(await refusedBy(repaired)).toMatch(/provenance-verified: The provenance of artifact .* was revoked/);

    await merge(newTest);
    expect(await refusedBy(await merge(newGreeting))).toMatch(/dev.*tests-passed: .* 1 of 1 tests failed/);

    await git(platform, work, "fetch", "--quiet", "origin");
    await merge(await propose("mend", "origin/main", { greeting: "hello\n" }));
    await platform.cairn("changes", "show", `${service}/${given}`, "--watch");
    await platform.cairn("org", "remove-team", "team-gone");
    expect(await refusedBy(await merge(given))).toMatch(/dev.*owner-exists: catalog-info.yaml names group:default\/team-gone/);

    await git(platform, work, "fetch", "--quiet", "origin");
    await merge(await propose("given-back", "origin/main", { "catalog-info.yaml": component("team-shell", "tier-3") }));
    await merge(noSlo);
    // What becomes tier-1 by it, nobody merges alone.
    await expect(platform.cairn("merge", `${service}/${tierOne}`)).rejects.toThrow(/tier-1 needs an approval of this head by a code owner/);
    await approvedByAnother(tierOne);
    const last = await merge(tierOne);
    expect(await refusedBy(last)).toMatch(/production: .*slo-and-runbook: slo.yaml of .* is missing/);
    const { releases } = await api<{ releases: Release[] }>(`/api/releases?service=${service}`);
    const of = (environment: string) => releases.find((release) => release.commit === last && release.environment === environment)?.state;
    expect([of("dev"), of("staging"), of("production")]).toEqual(["promoted", "promoted", "refused"]);

    // Whatever was tried, production serves what it served.
    expect(await greeting()).toBe("hello\n");
    const promoted = releases.filter(({ environment, state }) => environment === "production" && state === "promoted");
    expect(promoted.every(({ artifactDigest }) => artifactDigest === promoted.at(-1)?.artifactDigest)).toBe(true);
  },
);

test("what runs is judged again when its evidence is taken back: that is found and said, and nothing is taken down", async () => {
  interface Audit {
    environment: string;
    release: string;
    outcome: string;
    decision: string;
    results: { rule: string; outcome: string }[];
  }
  const audited = (what: string, holds: (audit: Audit) => boolean) =>
    eventually(what, 60, async () => {
      const { audits } = await api<{ audits: Audit[] }>(`/api/audit?service=${service}`);
      return audits.find((audit) => audit.environment === "production" && holds(audit));
    });
  const revoked = ({ results }: Audit) => results.some(({ rule, outcome }) => rule === "provenance-verified" && outcome === "denied");
  const before = await audited("what runs", (audit) => !revoked(audit));
  const { commit } = await api<Release>(`/api/releases/${before.release}`);
  await revokeProvenance(commit);
  const after = await audited("the finding", revoked);
  expect(after).toMatchObject({ release: before.release, outcome: "deny" });
  expect(await platform.cairn("replay", after.decision)).toMatchObject({ same: true, outcome: "deny" });
  expect(await greeting()).toBe("hello\n");
});

test(
  "what is refused goes on under a break-glass: others are told at once, what would have been denied is kept, its opener can't review it, and it ends on time though the server was killed",
  { timeout: 300_000 },
  async () => {
    interface Glass {
      id: string;
      state: string;
      until: string;
      witnesses: string[];
      uses: { type: string; data: Record<string, unknown> }[];
    }
    interface Decision {
      outcome: string;
      results: { rule: string; outcome: string; mode: string; relievedBy: string | null }[];
    }
    const received: { signature: string; signed: string; body: string }[] = [];
    const receiver = createServer((request, response) => {
      void text(request).then((body) => {
        const { "webhook-id": id, "webhook-timestamp": at, "webhook-signature": signature } = request.headers;
        received.push({ signature: String(signature), signed: `${String(id)}.${String(at)}.${body}`, body });
        response.writeHead(204).end();
      });
    });
    await new Promise<void>((listening) => receiver.listen(0, "127.0.0.1", listening));
    const second = { ...platform.env, XDG_CONFIG_HOME: join(folder, "second") };
    const toldSecond = (kind: string, times: number) =>
      eventually(`${kind} in the inbox of the second person`, 30, async () => {
        const { answer } = await ended(second, "inbox", "list", "--all");
        const items = (answer as { items: { kind: string }[] }).items.filter((item) => item.kind === kind);
        return items.length === times ? true : undefined;
      });
    const asked = async () => {
      const { run } = await platform.cairn<{ run: string }>("deliver", service, "-b", "as it stands");
      return async () => (await api<Run>(`/api/runs/${run}`)).state;
    };
    const refused = async () => {
      const state = await asked();
      await eventually("its refusal", 120, async () => ((await state()) === "failed" ? true : undefined));
    };
    const open = (duration: string, ...rules: string[]) =>
      platform.cairn<Glass>("break-glass", "open", "-s", service, "-e", "production", ...rules, "-f", duration, "-b", "a way around");
    try {
      const { port } = receiver.address() as AddressInfo;
      const hook = ["webhooks", "add", `http://127.0.0.1:${port}/`, "--this-machine", "--kind", "break_glass.opened"];
      const { secret } = await platform.cairn<{ secret: string }>(...hook);
      await refused();
      const why = await platform.cairn<{ state: string; because: { name: string }[]; unblock: { command: string | null }[] }>(
        "why",
        service,
      );
      expect(why.state).toBe("refused");
      const rules = why.because.map(({ name }) => name);
      expect(rules).toContain("slo-and-runbook");
      const wayAround = why.unblock.find(({ command }) => command?.startsWith("cairn break-glass open"))?.command;
      expect(wayAround).toMatch(new RegExp(`-s ${service} -e production -r .* -f 1h -b REASON$`));
      for (const rule of rules) expect(wayAround).toContain(` ${rule} `);

      const short = await open("60s", "-r", "slo-and-runbook");
      await platform.killServer();
      await platform.start();

      const glass = await open("1h");
      expect(glass).toMatchObject({ state: "open", witnesses: ["user:default/second"] });
      await toldSecond("break_glass.opened", 2);
      const passed = await asked();
      await eventually("its delivery", 120, async () => ((await passed()) === "success" ? true : undefined));
      const { releases } = await api<{ releases: Release[] }>(`/api/releases?service=${service}&environment=production`);
      const under = releases[0] as Release;
      expect(under.state).toBe("promoted");
      const { uses } = await platform.cairn<Glass>("break-glass", "show", glass.id);
      expect(uses.map(({ type }) => type)).toEqual(expect.arrayContaining(["policy.decided", "releases.started", "releases.promoted"]));
      const { decision } = await api<{ decision: string }>(`/api/releases/${under.id}`);
      const judged = await api<Decision>(`/api/decisions/${decision}`);
      expect(judged.outcome).not.toBe("deny");
      const denied = judged.results.filter(({ outcome, mode }) => mode === "enforce" && outcome !== "passed");
      expect(denied.map(({ rule }) => rule)).toEqual(expect.arrayContaining(rules));
      for (const { relievedBy } of denied) expect([short.id, glass.id]).toContain(relievedBy);

      await platform.cairn("break-glass", "close", glass.id, "-b", "it was enough");
      const review = ["break-glass", "review", glass.id, "-b", "looked at what was done"];
      await expect(platform.cairn(...review)).rejects.toThrow(/its review by yourself says nothing/);
      const toReview = async () =>
        (await platform.cairn<{ breakGlass: Glass[] }>("break-glass", "list", "--state", "to_review")).breakGlass.map(({ id }) => id);
      expect(await toReview()).toContain(glass.id);
      expect(await ended(second, ...review)).toMatchObject({ code: 0, answer: { state: "reviewed" } });
      expect(await toReview()).not.toContain(glass.id);

      const told = await eventually("the webhook", 30, async () => received[0]);
      expect(JSON.parse(told.body)).toMatchObject({
        type: "break_glass.opened",
        data: { about: `component:default/${service}`, urgent: true },
      });
      const key = Buffer.from(secret.slice("whsec_".length), "base64");
      expect(told.signature).toBe(`v1,${createHmac("sha256", key).update(told.signed).digest("base64")}`);

      // The other one is over when it was said to be, whoever was killed meanwhile; and then what it let pass is refused again.
      const noted = await eventually("the end of the other", 90, async () => {
        const { events } = await api<{ events: { at: string; data: { breakGlass: string } }[] }>(
          "/api/ledger?type=policy.break_glass_expired",
        );
        return events.find(({ data }) => data.breakGlass === short.id);
      });
      expect(Date.parse(noted.at)).toBeGreaterThanOrEqual(Date.parse(short.until));
      expect(await platform.cairn("break-glass", "show", short.id)).toMatchObject({ state: "to_review" });
      await toldSecond("break_glass.follow_up", 2);
      await refused();
    } finally {
      await new Promise((closed) => receiver.close(closed));
    }
  },
);

test("a secret is in the process that needs it, and nowhere else: not in its log, where it prints it, nor database, files, repositories or core files", async () => {
  const name = `vault-${randomInt(36 ** 5).toString(36)}`;
  const canary = `canary${randomBytes(24).toString("hex")}`;
  const files = Object.entries({
    ...FILES,
    "cairn.yaml": `${FILES["cairn.yaml"]}environments: [dev]\n`,
    "serve.sh": `echo "the key is $API_KEY"\n${FILES["serve.sh"]}`,
    "score.yaml": JSON.stringify({
      ...(JSON.parse(score({ ...PROBES, ...RESOURCES, variables: { API_KEY: "${resources.secrets.API_KEY}" } })) as object),
      resources: { secrets: { type: "secret" } },
    }),
  })
    // A merge patch replaces the list of containers, and with it their variables.
    .filter(([path]) => path !== "k8s/deployment.yaml")
    .map(([path, content]) => [path, content.replaceAll(service, name)]);
  const answers = ["-a", `service_name=${name}`, "-a", "owner_team=team-shell", "-a", "database=false"];
  await platform.cairn("create", "http-api", ...answers, "--apply");
  const own = join(folder, "vault");
  await git(platform, folder, "clone", "--quiet", "--branch", "cairn/first-change", `${platform.url}/git/${name}.git`, own);
  await git(platform, own, "rm", "--quiet", "-r", ".");
  await commit(Object.fromEntries(files) as Record<string, string>, own);
  await git(platform, own, "push", "--quiet", "origin", "cairn/first-change");
  const change = await platform.cairn<Change>("changes", "show", `${name}/1`, "--watch");
  expect(change.checks.find((check) => check.name === "policy")?.details).toContain(
    `The secret API_KEY is not set for dev: cairn secrets set ${name} API_KEY --environment dev`,
  );
  await platform.cairn("merge", `${name}/1`);
  const { mergeCommit } = await platform.cairn<Change>("changes", "show", `${name}/1`);
  expect(await delivered(api, name, mergeCommit ?? "")).toMatchObject({ state: "failed", error: { code: "workflows.secrets_missing" } });

  // As a person would: by a pipe.
  const set = execFile(join(root, "cairn"), ["secrets", "set", name, "API_KEY", "-e", "dev", "--deliver", "-o", "json"], {
    env: platform.env,
  });
  set.stdin?.end(`${canary}\n`);
  const { run } = JSON.parse((await text(set.stdout as Readable)) || "{}") as { run: string };
  await eventually("its delivery", 120, async () => ((await api<Run>(`/api/runs/${run}`)).state === "success" ? true : undefined));
  expect(await platform.cairn("secrets", "list", name)).toMatchObject({
    secrets: [{ name: "API_KEY", environment: "dev", use: "current" }],
  });

  // It is in the environment of the service's processes alone, and those and the platform's own leave no core files.
  const holders = processes(({ env, command }) => command.includes(canary) || Object.values(env).some((value) => value.includes(canary)));
  expect(holders.length).toBeGreaterThan(0);
  expect(processes(({ env }) => env.CAIRN_SERVICE === name)).toEqual(expect.arrayContaining(holders));
  const platformsOwn = processes(({ env, command }) => env.CAIRN_HOME === platform.home || command.includes(platform.home));
  expect(platformsOwn.length).toBeGreaterThan(2);
  for (const pid of [...holders, ...platformsOwn]) {
    expect(readFileSync(`/proc/${pid}/limits`, "utf8"), `the core size of ${pid}`).toMatch(/Max core file size\s+0\s+0\s/);
    expect(readFileSync(`/proc/${pid}/coredump_filter`, "utf8").trim(), `what ${pid} dumps to a collector`).toBe("00000000");
  }

  // The service has printed it.
  const lines = await eventually("its log", 30, async () => {
    const said = await api<{ line: string }[]>(`/api/services/${name}/logs?environment=dev`);
    return said.some(({ line }) => line.startsWith("the key is")) ? said : undefined;
  });
  expect(lines.find(({ line }) => line.startsWith("the key is"))?.line).toMatch(/^the key is \*+$/);
  expect(await placesOf(canary, holders)).toEqual([]);
});

/** Where a text, its base64 or its hex is found: in rows of the platform's databases, in files of the home and of what the service runs in, in objects of repositories. */
async function placesOf(canary: string, holders: readonly number[]): Promise<string[]> {
  const forms = [canary, Buffer.from(canary).toString("base64").slice(0, -4), Buffer.from(canary).toString("hex")];
  const holds = (bytes: Buffer): boolean => forms.some((form) => bytes.includes(form));
  const found: string[] = [];

  const agent = await connectAgent(platform.home);
  const server = (await agent.postgres()).url;
  const asked = async <T>(url: string, body: (client: Postgres) => Promise<T>): Promise<T> => {
    const client = new Postgres({ connectionString: url });
    await client.connect();
    return body(client).finally(() => client.end());
  };
  const databases = await asked(server, async (client) => {
    await client.query("checkpoint");
    return (await client.query<{ name: string }>("select datname as name from pg_database where datallowconn")).rows;
  });
  let rows = 0;
  for (const { name } of databases) {
    const url = new URL(server);
    url.pathname = `/${encodeURIComponent(name)}`;
    await asked(url.href, async (client) => {
      const tables =
        "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')";
      for (const table of (await client.query<{ name: string }>(tables)).rows)
        for (const { line } of (await client.query<{ line: string }>(`select line::text from ${table.name} as line`)).rows) {
          rows++;
          if (holds(Buffer.from(line))) found.push(`${name} ${table.name}`);
        }
    });
  }
  expect(rows).toBeGreaterThan(100);

  const elsewhere = holders.flatMap((pid) => [readlinkSync(`/proc/${pid}/cwd`)]).map((at) => dirname(dirname(at)));
  let files = 0;
  for (const top of new Set([platform.home, ...elsewhere]))
    for (const entry of await readdir(top, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (path.includes("/npm-cache/") || !entry.isFile()) continue;
      const bytes = await readFile(path).catch(() => undefined); // PostgreSQL's temporary ones come and go
      if (!bytes) continue;
      files++;
      const isPacked = bytes[0] === 0x1f && bytes[1] === 0x8b;
      if (holds(bytes) || (isPacked && holds(gunzipSync(bytes))) || entry.name.startsWith("core.")) found.push(path);
    }
  expect(files).toBeGreaterThan(500);

  const forge = join(platform.home, "forge");
  for (const entry of await readdir(forge, { recursive: true, withFileTypes: true })) {
    if (!entry.isDirectory() || !entry.name.endsWith(".git")) continue;
    const every = ["cat-file", "--batch-all-objects", "--batch"];
    const { stdout } = await promisify(execFile)("git", every, {
      cwd: join(entry.parentPath, entry.name),
      encoding: "buffer",
      maxBuffer: 256 * 1024 * 1024,
    });
    expect(stdout.length).toBeGreaterThan(1000);
    if (holds(stdout)) found.push(entry.name);
  }
  return found;
}

/** Writes files (undefined removes one) and commits them. */
async function commit(files: Record<string, string | undefined>, into = work): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(into, path)), { recursive: true });
    if (content === undefined) await rm(join(into, path));
    else await writeFile(join(into, path), content);
  }
  await git(platform, into, "add", "--all");
  await git(platform, into, "commit", "--quiet", "--message", "Change it");
}

/** What a command answers and how it ends, also where it fails. */
async function ended(env: NodeJS.ProcessEnv, ...args: string[]): Promise<{ code: number; answer: unknown }> {
  const ran = promisify(execFile)(join(root, "cairn"), [...args, "-o", "json"], { env, maxBuffer: 16 * 1024 * 1024 });
  const { code, stdout } = await ran.then(
    (done) => ({ code: 0, stdout: done.stdout }),
    (error: unknown) => error as { code: number; stdout: string },
  );
  return { code, answer: JSON.parse(stdout || "null") };
}

/** Pushes a branch that starts at `base` and opens a change request for it. */
async function propose(branch: string, base: string, files: Record<string, string | undefined>): Promise<number> {
  await git(platform, work, "checkout", "--quiet", "-B", branch, base);
  await commit(files);
  await git(platform, work, "push", "--quiet", "origin", branch);
  return (await platform.cairn<Change>("changes", "open", service, branch)).number;
}

/** Has somebody else of the team sign in and approve a change request. */
async function approvedByAnother(number: number): Promise<void> {
  const user = { apiVersion: "backstage.io/v1alpha1", kind: "User", metadata: { name: "second" }, spec: { memberOf: ["team-shell"] } };
  const file = join(folder, "people.yaml");
  await writeFile(file, JSON.stringify(user));
  await platform.cairn("org", "load", file);
  const { token: admin } = await platform.cairn<{ token: string }>("tokens", "create", "admin", "--scope", "admin");
  const { token } = await apiBy(platform, admin)<{ token: string }>("/api/auth/links", { person: "user:default/second" });
  const env = { ...platform.env, XDG_CONFIG_HOME: join(folder, "second") };
  expect((await ended(env, "login", "--link", `${platform.url}/login#token=${token}`)).code).toBe(0);
  expect((await ended(env, "changes", "approve", `${service}/${number}`)).code).toBe(0);
}

/** Merges once the checks have passed; gives the commit. */
async function merge(number: number): Promise<string> {
  await platform.cairn("merge", `${service}/${number}`);
  await git(platform, work, "fetch", "--quiet", "origin");
  return (await platform.cairn<Change>("changes", "show", `${service}/${number}`)).mergeCommit ?? "";
}

/** Why policy refused the delivery of a commit. */
async function refusedBy(merged: string): Promise<string> {
  const run: Run = await delivered(api, service, merged);
  expect(run).toMatchObject({ state: "failed", error: { code: "workflows.release_refused" } });
  return run.error?.message ?? "";
}

/** Takes back what CI has said about where a commit's artifact comes from, as soon as it was said. */
async function revokeProvenance(merged: string): Promise<void> {
  const digest = await eventually("the provenance", 60, async () => {
    const { runs } = await api<{ runs: { purpose: string; artifact: { digest: string } | null }[] }>(
      `/api/ci-runs?repository=${service}&commit=${merged}`,
    );
    const artifact = runs.find(({ purpose }) => purpose === "merge")?.artifact?.digest;
    if (!artifact) return undefined;
    const { evidence } = await api<{ evidence: { kind: string; commit: string; digest: string }[] }>(`/api/evidence?artifact=${artifact}`);
    return evidence.find((each) => each.kind === "provenance" && each.commit === merged)?.digest;
  });
  await api(`/api/evidence/${digest}/revoke`, { because: "the builder was not what it should be" });
}

const states = ({ checks }: Change) => Object.fromEntries(checks.map(({ name, state }) => [name, state]));
const greeting = async (environment = "production"): Promise<string> =>
  (await fetch(await addressOf(platform, service, environment))).text();
