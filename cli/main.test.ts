import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

/** A platform that answers every question with one status. */
async function answering(status: number, body: object): Promise<string> {
  const server = createServer((_request, response) =>
    response
      .writeHead(status, { "content-type": status < 400 ? "application/json" : "application/problem+json" })
      .end(JSON.stringify(body)),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const problem = (status: number, code: string) => ({ title: code, status, code, detail: "It is so", next: "Do this" });

/** How the command ends, as a script sees it. */
const cairn = (
  args: string[],
  url = "http://127.0.0.1:1",
  token = "cairn_test",
  input = "",
): Promise<{ code: number; stderr: string; stdout: string }> =>
  new Promise((resolve) => {
    const env = { ...process.env, XDG_CONFIG_HOME: "/nowhere", CAIRN_URL: url, CAIRN_TOKEN: token };
    const child = execFile(join(import.meta.dirname, "..", "cairn"), args, { env }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
    child.stdin?.end(input);
  });

test("the exit code tells a script what happened, and standard error what to do next", async () => {
  const ended = await Promise.all([
    cairn(["org", "teams"], await answering(200, [])),
    cairn(["service", "ghost"], await answering(404, problem(404, "catalog.service_not_found"))),
    cairn(["services", "--nonsense"]),
    cairn(["servces"]),
    cairn(["create", "http-api"], await answering(422, problem(422, "golden_paths.answer_refused"))),
    cairn(["services"], await answering(401, problem(401, "identity.token_unknown"))),
    cairn(["services"], await answering(403, problem(403, "identity.access_refused"))),
    cairn(["services"], undefined, ""),
    cairn(["services"]),
    cairn(["services"], await answering(503, problem(503, "http.database_away"))),
  ]);
  expect(ended.map(({ code }) => code)).toEqual([0, 1, 2, 2, 2, 3, 3, 3, 4, 4]);
  expect(ended[1]?.stderr).toBe("✗ It is so\n  Do this\n  (catalog.service_not_found)\n");
  expect(ended[3]?.stderr).toContain("Did you mean services?");
  expect(ended[7]?.stderr).toContain("Run: cairn login");
  expect(ended[8]?.stderr).toContain("Start it with: cairn start");
});

test("a file that is not there, or is none, is named", async () => {
  const url = await answering(200, {});
  const [missing, folder] = await Promise.all([
    cairn(["org", "load", "/nowhere/teams.yaml"], url),
    cairn(["windows", "load", import.meta.dirname], url),
  ]);
  expect([missing.code, folder.code]).toEqual([2, 2]);
  expect(missing.stderr).toBe(
    "✗ /nowhere/teams.yaml is not there\n  Name a file or folder that is there, and that you may read or write.\n  (cli.file)\n",
  );
});

test("cairn check and cairn ci outside of a checkout say where to go, and leave nothing there", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cairn-no-checkout-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const ended = await Promise.all(
    ["check", "ci"].map((name) => cairn([name, folder, ...(name === "ci" ? ["--out", join(folder, "out")] : [])])),
  );
  expect(ended.map(({ code }) => code)).toEqual([1, 1]);
  for (const { stderr } of ended) expect(stderr).toContain(`${folder} is no checkout of a service`);
  expect(await readdir(folder)).toEqual([]);
});

test("cairn changes show --watch ends with 1 where a check has failed, without it with 0", async () => {
  const change = (state: string) => ({ repository: "orders", number: 2, title: "Say hello", state: "open", author: "user:default/ada", branch: "hello", head: "0", merge: { allowed: true }, checks: [{ name: "ci", state, summary: "1 of 2 tests failed", details: [] }], warnings: [] }); // prettier-ignore
  const failed = await answering(200, change("failed"));
  const ended = await Promise.all([
    cairn(["changes", "show", "orders/2", "--watch"], failed),
    cairn(["change", "orders/2"], failed),
    cairn(["change", "orders/2", "-w"], await answering(200, change("warned"))),
  ]);
  expect(ended.map(({ code }) => code)).toEqual([1, 0, 0]);
  expect(ended[0]?.stdout).toContain("✗ failed  ci: 1 of 2 tests failed");
});

test("a plan that a rule denies is told once for all environments, and offers no apply", async () => {
  const result = (environment: string) => ({
    rule: "owner-exists",
    outcome: "denied",
    subject: `component:default/orders in ${environment}`,
    message: "no such group",
    fix: "Name another",
    mode: "enforce",
    exceptionsBy: [],
    relievedBy: null,
  });
  const decisions = ["dev", "production"].map((environment) => ({
    environment,
    point: "plan",
    outcome: "deny",
    results: [result(environment)],
  }));
  const plan = {
    title: "Create orders",
    changes: [],
    cost: { monthly: 0, currency: "EUR", unknown: [] },
    rollout: [],
    rollback: "",
    decisions,
    unknowns: [],
  };
  const { code, stdout } = await cairn(["plan", "sha256:0"], await answering(200, { plan, digest: "sha256:0", state: "open" }));
  expect(code).toBe(0);
  expect(stdout).toContain("Policy dev, production: ✗ deny\n  ✗ denied  owner-exists: no such group\n");
  expect(stdout).toContain("a rule denies it");
  expect(stdout).not.toContain("cairn apply");
});

test("with -o json a refusal is a problem on standard error, and standard output stays empty", async () => {
  const { code, stdout, stderr } = await cairn(
    ["service", "ghost", "-o", "json"],
    await answering(404, problem(404, "catalog.service_not_found")),
  );
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(JSON.parse(stderr)).toMatchObject({ code: "catalog.service_not_found", next: "Do this" });
});

test("cairn git-credential hands the token to this platform's own address and to no other", async () => {
  const get = (host: string, protocol = "http") =>
    cairn(["git-credential", "get"], "http://127.0.0.1:7070", "cairn_test", `protocol=${protocol}\nhost=${host}\n\n`);
  const [ours, ...others] = await Promise.all([
    get("127.0.0.1:7070"),
    get("git.example"),
    get("127.0.0.1:7071"),
    get("127.0.0.1:7070", "https"),
  ]);
  expect(ours?.stdout).toBe("protocol=http\nhost=127.0.0.1:7070\nusername=cairn\npassword=cairn_test\n\n");
  expect(others.map(({ stdout }) => stdout)).toEqual(["", "", ""]);
});
