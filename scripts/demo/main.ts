import { randomInt } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { Story } from "./story.ts";
import { cairn, eventually, expectThat, git, interruption, output, result, root } from "./tools.ts";
import { sendTraffic, type Count } from "./traffic.ts";

// The demo is an outside program: it uses the CLI, git and HTTP, and judges from outside what happened.
interface Plan {
  digest: string;
  plan: {
    payload: { tree: string; firstTree: string; files: unknown[] };
    changes: { kind: string }[];
    cost: { monthly: number | null; currency: string };
  };
}
interface Change {
  number: number;
  head: string;
  state: string;
  mergeCommit: string | null;
  checks: { name: string; state: string; summary: string }[];
}
interface Release {
  id: string;
  environment: string;
  commit: string;
  artifactDigest: string;
  state: string;
  because: string;
  percent: number;
}
interface Environment {
  environment: string;
  url: string;
  revisions: { artifactDigest: string; weightPercent: number }[];
}

const exitAfter = process.argv.includes("--exit");
const service = `${["ledger", "orders", "parcels", "tickets", "menus"][randomInt(5)]}-${randomInt(36 ** 4)
  .toString(36)
  .padStart(4, "0")}`;
const failureShare = randomInt(20, 41) / 100;
const TRAFFIC_PER_SECOND = 150;
const ENVIRONMENTS = ["dev", "staging", "production"];

const story = new Story();
// The first Ctrl-C ends the demo in order, the second at once.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => interruption.abort(signal));
await removeLeftFolders();
const folder = await mkdtemp(join(tmpdir(), `cairn-demo-${process.pid}-`));
try {
  const held = await tell().then(
    () => true,
    (error: unknown) => {
      interruption.signal.throwIfAborted();
      if (story.rows.every((row) => row.held)) console.log(`\n${error instanceof Error ? error.message : String(error)}`);
      return false;
    },
  );
  await rm(folder, { recursive: true, force: true });
  console.log(`\n${story.table()}\n`);
  const { url } = await cairn<{ url: string }>("start").catch(() => ({ url: "" }));
  if (held) await addresses(url);
  if (exitAfter) {
    await output(join(root, "cairn"), ["stop", "--all"]);
    console.log("The platform is stopped.");
  } else if (url) console.log("The platform goes on running: npm stop stops it.");
  console.log(held ? "Every stage held." : "A stage did not hold: see above.");
  process.exitCode = held ? 0 : 1;
} catch (error) {
  if (!interruption.signal.aborted) throw error;
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  tellWhatGoesOn(interruption.signal.reason as keyof typeof constants.signals);
}

/** What Ctrl-C leaves, and how it is stopped. */
function tellWhatGoesOn(signal: keyof typeof constants.signals): void {
  const platform = story.rows[0]?.evidence;
  console.log(`\nInterrupted in "${story.now}".`);
  console.log(
    platform
      ? `The platform goes on running at ${platform}, with ${service} as far as it had come: what is under way there goes on to its end.`
      : "The platform may go on starting: ./cairn status tells.",
  );
  console.log("npm stop stops it, ./cairn stop --all its services and databases too. npm run demo begins again, with another service.");
  process.exitCode = 128 + constants.signals[signal];
}

/** Those of demos that were killed. */
async function removeLeftFolders(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = /^cairn-demo-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !isThere(Number(pid))) await rm(join(tmpdir(), name), { recursive: true, force: true }).catch(() => {});
  }
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function tell(): Promise<void> {
  const { url } = await story.stage("Start", async () => {
    const started = await cairn<{ url: string; started: boolean }>("start");
    await cairn("login");
    await cairn("org", "load", join(root, "library", "example-organisation"));
    return { what: `the platform runs, and holds the example organisation`, evidence: started.url, value: started };
  });
  const api = `${url}/api`;
  const token = (await cairn<{ token: string }>("tokens", "create", `demo ${service}`)).token;
  const get = async <T>(path: string): Promise<{ status: number; body: T }> => {
    const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } });
    return { status: response.status, body: (await response.json()) as T };
  };
  const remote = `${url}/git/${service}.git`;

  const plan = await story.stage("Plan", async (say) => {
    const made = await cairn<Plan>(
      "create",
      "http-api",
      "-a",
      `service_name=${service}`,
      "-a",
      "owner_team=example-shop",
      "-a",
      "database=true",
    );
    const { payload, cost, changes } = made.plan;
    say(
      `${service}: ${payload.files.length} files, ${changes.filter((change) => change.kind === "resource").length} resources, ${cost.monthly ?? "unknown"} ${cost.currency} a month`,
    );
    expectThat((await get(`/services/${service}`)).status === 404, "planning registers nothing");
    expectThat(
      (await result("git", ["-c", `http.extraHeader=Authorization: Bearer ${token}`, "ls-remote", remote])).code !== 0,
      "planning makes no repository",
    );
    return { what: "the plan is made, and nothing has changed", evidence: `${api}/plans/${made.digest}`, value: made };
  });

  const change = await story.stage("Repository and first change request", async (say) => {
    await cairn("apply", plan.digest);
    await git(folder, "clone", "--quiet", remote, "work");
    const work = join(folder, "work");
    expectThat(
      (await git(work, "rev-parse", "HEAD^{tree}")) === plan.plan.payload.firstTree,
      "the first commit's tree is the one of the plan",
    );
    const opened = await cairn<Change>("changes", "show", `${service}/1`);
    await git(work, "fetch", "--quiet", "origin");
    expectThat(
      (await git(work, "rev-parse", `${opened.head}^{tree}`)) === plan.plan.payload.tree,
      "the change request's tree is the one of the plan",
    );
    say(`git tree ${plan.plan.payload.tree}, as planned`);
    return { what: `${service}/1 carries exactly what the plan showed`, evidence: `${url}/changes/${service}/1`, value: opened };
  });

  await story.stage("Checks", async (say) => {
    const checked = await cairn<Change>("changes", "show", `${service}/1`, "--watch");
    for (const check of checked.checks) say(`${check.name}: ${check.state}, ${check.summary}`);
    expectThat(
      checked.checks.length >= 3 && checked.checks.every((check) => check.state === "passed" || check.state === "warned"),
      "all checks passed",
    );
    return { what: "descriptor, policy and CI have reported", evidence: `${url}/changes/${service}/1`, value: change };
  });

  const commit = await story.stage("Merge", async () => {
    await cairn("merge", `${service}/1`);
    const head = (await git(folder, "ls-remote", remote, "refs/heads/main")).split(/\s/)[0] ?? "";
    const merged = await cairn<Change>("changes", "show", `${service}/1`);
    expectThat(merged.mergeCommit === head, "the default branch is at the merged commit");
    return { what: `merged as ${head.slice(0, 10)}: delivery has begun`, evidence: `${url}/changes/${service}/1`, value: head };
  });

  const good = await story.stage("CI", async (say) => {
    const run = await eventually("the artifact", 600, async () => {
      const { body } = await get<{
        runs: {
          id: string;
          purpose: string;
          state: string;
          because: string | null;
          artifact: { digest: string } | null;
          tests: { total: number } | null;
        }[];
      }>(`/api/ci-runs?repository=${service}&commit=${commit}`);
      return body.runs.find((each) => each.purpose === "merge" && (each.state === "passed" || each.state === "failed"));
    });
    expectThat(run.state === "passed" && run.artifact !== null, `CI passed (${run.because ?? ""})`);
    const { body } = await get<{ evidence: { kind: string; commit: string; result: string }[] }>(
      `/api/evidence?artifact=${run.artifact.digest}`,
    );
    for (const each of body.evidence) say(`${each.kind}: ${each.result}`);
    expectThat(
      body.evidence.some((each) => each.kind === "provenance" && each.commit === commit),
      "signed provenance ties the artifact to the commit",
    );
    return {
      what: `built, ${run.tests?.total ?? 0} tests passed, attested`,
      evidence: `${url}/ci-runs/${run.id}`,
      value: run.artifact.digest,
    };
  });

  for (const environment of ENVIRONMENTS)
    await story.stage(`Deliver to ${environment}`, async (say) => {
      const release = await ended(environment, commit);
      expectThat(release.state === "promoted", `the release to ${environment} is promoted (${release.because})`);
      say(release.because);
      const { body } = await get<{ plan: { changes: { kind: string; action: string; id: string }[]; decisions: { outcome: string }[] } }>(
        `/api/plans/${(release as Release & { plan: string }).plan}`,
      );
      for (const each of body.plan.changes.filter((planned) => planned.kind === "resource"))
        say(`infrastructure: ${each.action} ${each.id}`);
      say(`policy: ${body.plan.decisions.map((decision) => decision.outcome).join(", ")}`);
      const response = await fetch(`${await addressOf(environment)}/items`);
      expectThat(
        response.status === 200 && response.headers.get("x-cairn-digest") === good,
        `${environment} serves the artifact that CI built`,
      );
      await response.arrayBuffer();
      return { what: `${environment} serves ${good.slice(7, 19)}`, evidence: `${url}/releases/${release.id}`, value: undefined };
    });

  const production = await addressOf("production");
  await story.stage("Use it", async () => {
    const item = `example ${randomInt(1_000_000)}`;
    const made = await fetch(`${production}/items`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: item }),
    });
    expectThat(made.status === 201, `an item is created (${made.status})`);
    const { items } = (await (await fetch(`${production}/items`)).json()) as { items: { name: string }[] };
    expectThat(
      items.some((each) => each.name === item),
      "the item is read back from the database",
    );
    return { what: "production keeps data in a database of its own", evidence: `${production}/items`, value: undefined };
  });

  const traffic = sendTraffic(`${production}/items`, TRAFFIC_PER_SECOND);
  try {
    const bad = await story.stage("A bad change", async (say) => {
      const work = join(folder, "work");
      await git(work, "fetch", "--quiet", "origin");
      await git(work, "checkout", "--quiet", "-B", "faster-list", "origin/main");
      await sabotage(work, failureShare);
      await git(work, "commit", "--quiet", "--all", "--message", "Make listing faster");
      await git(work, "push", "--quiet", "origin", "faster-list");
      const opened = await cairn<Change>("changes", "open", service, "faster-list", "--title", "Make listing faster");
      say(`pushed with git: it fails ${Math.round(failureShare * 100)} % of its requests, and its tests pass`);
      await cairn("merge", `${service}/${opened.number}`);
      const merged = await cairn<Change>("changes", "show", `${service}/${opened.number}`);
      return {
        what: `${service}/${opened.number} passed its checks and is merged`,
        evidence: `${url}/changes/${service}/${opened.number}`,
        value: merged.mergeCommit ?? "",
      };
    });

    await story.stage("Canary", async (say) => {
      const release = await ended("production", bad);
      expectThat(release.state === "rolled_back", `the release is rolled back (it is ${release.state}: ${release.because})`);
      say(release.because);
      const detail = (await get<Release & { rounds: { canary: Count; verdict: { kind: string } }[] }>(`/api/releases/${release.id}`)).body;
      const last = detail.rounds.at(-1);
      expectThat(last?.verdict.kind === "worse", "the canary was judged worse");
      expectThat(last.canary.requests <= 120, `it was judged on at most 120 requests (${last.canary.requests})`);
      await eventually("the end of the canary's traffic", 30, async () =>
        (await weightOf(release.artifactDigest)) === 0 ? true : undefined,
      );
      await new Promise((wake) => setTimeout(wake, 1000));
      const before = { ...traffic.seen.byDigest.get(release.artifactDigest) };
      await new Promise((wake) => setTimeout(wake, 2000));
      const { byDigest, dropped } = await traffic.stop();
      const [stable, worse] = [byDigest.get(good), byDigest.get(release.artifactDigest)];
      say(
        `the client saw: stable ${stable?.requests} requests, ${stable?.failures} failures; canary ${worse?.requests} requests, ${worse?.failures} failures; ${dropped.length} connections dropped`,
      );
      expectThat(dropped.length === 0, `no connection was dropped (${dropped[0] ?? ""})`);
      expectThat(stable !== undefined && stable.failures === 0, "the stable revision never failed");
      expectThat(worse !== undefined && worse.failures > 0, "the bad revision failed for somebody");
      expectThat(byDigest.size === 2, `nothing else has answered (${[...byDigest.keys()].join(", ")})`);
      expectThat(worse.requests === before.requests, "the bad revision has no traffic any more");
      return {
        what: `judged worse after ${last.canary.requests} canary requests, rolled back; the stable revision served all along`,
        evidence: `${url}/releases/${release.id}`,
        value: undefined,
      };
    });
  } finally {
    await traffic.stop();
  }

  async function ended(environment: string, at: string): Promise<Release> {
    return eventually(`the release to ${environment}`, 900, async () => {
      const { releases } = await cairn<{ releases: Release[] }>("releases", service, "-e", environment);
      const found = releases.find((release) => release.commit === at && release.state !== "superseded");
      if (found && !["planned", "rolling_out", "held"].includes(found.state)) return found;
      const { body } = await get<{ runs: { state: string; error: { message: string } | null }[] }>(
        `/api/runs?about=component:default/${service}&limit=1`,
      );
      const failed = body.runs.find((run) => run.state === "failed" || run.state === "rolled_back");
      if (failed) throw new Error(failed.error?.message ?? "delivery ended");
      return undefined;
    });
  }

  async function addressOf(environment: string): Promise<string> {
    const { environments } = await cairn<{ environments: Environment[] }>("service", service);
    const found = environments.find((each) => each.environment === environment);
    expectThat(found !== undefined, `${service} has an address in ${environment}`);
    return found.url;
  }

  async function weightOf(digest: string): Promise<number> {
    const { environments } = await cairn<{ environments: Environment[] }>("service", service);
    return (
      environments.find((each) => each.environment === "production")?.revisions.find((revision) => revision.artifactDigest === digest)
        ?.weightPercent ?? 0
    );
  }
}

/** Makes listing fail for a share of requests, in the program's start: so its tests, which start from the service's parts, still pass. */
async function sabotage(work: string, share: number): Promise<void> {
  const path = join(work, "src", "main.js");
  const text = await readFile(path, "utf8");
  const at = text.indexOf("const service = createService");
  expectThat(at > 0, "src/main.js starts the service");
  const change = `const list = items.list.bind(items);\nitems.list = async (...query) => {\n  if (Math.random() < ${share}) throw new Error("listing failed");\n  return list(...query);\n};\n`;
  await writeFile(path, text.slice(0, at) + change + text.slice(at));
}

async function addresses(url: string): Promise<void> {
  const { environments } = await cairn<{ environments: Environment[] }>("service", service);
  console.log(`Portal      ${url}/services/${service}`);
  for (const each of environments) console.log(`${each.environment.padEnd(11)} ${each.url}/items`);
  const { link } = await cairn<{ link: string }>("login", "--link");
  console.log(`Sign in     ${link}\n`);
}
