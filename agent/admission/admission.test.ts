import { generateKeyPairSync } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { signerOf } from "@cairn/platform/evidence/signer.ts";
import { places } from "@cairn/platform/kernel/config.ts";
import { ADMISSION, admissionOf, QUARANTINE_LIFT, type Admission, type Envelope } from "@cairn/platform/runtime/admission.ts";
import { admissionSigner } from "@cairn/platform/runtime/local/key.ts";
import { startAgent, stopAgent } from "../client.ts";
import type { Journal } from "../journal.ts";
import { http } from "../light.ts";
import type { RevisionSpec } from "../model.ts";
import { agentPlaces } from "../places.ts";
import { identify, marked } from "../services/proc.ts";
import { admit, anArtifact, ask, aSpec, eventually, runningAgent, type RunningAgent } from "../testing/fixture.ts";

let running: RunningAgent;
let artifact: RevisionSpec["artifact"];
let services = 0;
beforeAll(async () => {
  running = await runningAgent();
  artifact = await anArtifact(running.home);
});
afterAll(() => running?.end());

const aTarget = () => ({ service: `orders-${++services}`, environment: "dev" });
const isGone = (pid: number): boolean => identify(pid) === undefined;

/** By the real door: the control socket, with the token that its owner has. */
async function byHand(method: string, path: string, body?: unknown): Promise<{ status: number; body: Record<string, unknown> }> {
  const { socket, token } = agentPlaces(running.home);
  const authorization = `Bearer ${await readFile(token, "utf8")}`;
  return new Promise((resolve, reject) => {
    const request = http.request({ socketPath: socket, method, path, headers: { authorization }, agent: false }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }));
    });
    request.on("error", reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const deployByHand = ({ service, environment }: { service: string; environment: string }, { id, ...body }: RevisionSpec) =>
  byHand("PUT", `/targets/${service}/${environment}/revisions/${id}`, body);

const signed = async (payloadType: string, statement: unknown): Promise<Envelope> =>
  (await admissionSigner(places(running.home).keys))(payloadType, statement as Admission);

async function serving(target = aTarget(), own = artifact) {
  const spec = aSpec({ artifact: own });
  const { url } = await running.agent.ensureTarget(target);
  await running.agent.deploy(target, spec);
  await running.agent.setWeights(target, { [spec.id]: 100 });
  return { target, spec, url, pid: Number((await ask(`${url}/pid`)).body) };
}

const revisionOf = async (target: { service: string; environment: string }) => {
  const [revision] = (await running.agent.observe(target)).revisions;
  if (!revision) throw new Error("nothing runs");
  return revision;
};

describe("a revision on the control socket", () => {
  const other = signerOf(generateKeyPairSync("ed25519").privateKey);
  type Make = (target: { service: string; environment: string }, spec: RevisionSpec) => Promise<unknown>;
  const statement = (target: { service: string; environment: string }, spec: RevisionSpec, over: Partial<Admission> = {}): Admission => ({
    ...admissionOf({ ...spec, target }, { id: "dec_1", outcome: "allow" }, new Date()),
    ...over,
  });
  const cases: [string, Make, RegExp][] = [
    ["without an admission", async () => undefined, /bears no admission/],
    ["with something that is no envelope", async () => ({ signatures: "none" }), /not a DSSE envelope/],
    ["that somebody else signed", async (t, s) => other.sign(statement(t, s), ADMISSION), /not signed by this platform's key/],
    ["whose envelope lost its signature", async (t, s) => ({ ...(await admit(running.home, t, s)), signatures: [] }), /not signed/],
    [
      "whose statement was changed after it was signed",
      async (t, s) => ({
        ...(await admit(running.home, t, s)),
        payload: Buffer.from(JSON.stringify(statement(t, s, { release: "rel_x" }))).toString("base64"),
      }),
      /not signed/,
    ],
    ["with a signature over another kind of statement", (t, s) => signed(QUARANTINE_LIFT, statement(t, s)), /envelope holds/],
    [
      "that a decision denied",
      (t, s) => signed(ADMISSION, statement(t, s, { decision: { id: "dec_2", outcome: "deny" as never } })),
      /did not let/,
    ],
    [
      "admitted for another environment",
      (t, s) => admit(running.home, { ...t, environment: "production" }, s),
      /for the target .* in production/,
    ],
    [
      "admitted for another artifact",
      (t, s) => signed(ADMISSION, statement(t, s, { artifact: `sha256:${"0".repeat(64)}` })),
      /for the artifact/,
    ],
    ["admitted with another start command", (t, s) => admit(running.home, t, { ...s, start: "true" }), /for the configuration/],
    ["admitted with other manifests", (t, s) => admit(running.home, t, { ...s, manifests: [] }), /for the configuration/],
    ["admitted for another release", (t, s) => admit(running.home, t, { ...s, release: "rel_other" }), /for the release/],
    ["admitted an hour ago", (t, s) => admit(running.home, t, s, new Date(Date.now() - 3_600_000)), /starts something new for 10 minutes/],
    ["admitted for tomorrow", (t, s) => admit(running.home, t, s, new Date(Date.now() + 86_400_000)), /starts something new/],
  ];
  test.each(cases)("%s is refused with what to do; nothing is made, and the attempt is kept", async (_what, make, because) => {
    const target = aTarget();
    const spec = aSpec({ artifact });
    await signed(ADMISSION, {}); // the platform's key is there
    const answer = await deployByHand(target, { ...spec, admission: (await make(target, spec)) as Envelope });
    expect(answer).toMatchObject({ status: 403, body: { code: "runtime.not_admitted", next: expect.stringMatching(/change request/) } });
    expect(answer.body.detail).toMatch(because);
    expect(await running.agent.targets()).not.toContainEqual(target);
    expect(marked(`CAIRN_REVISION=${spec.id}`)).toEqual([]);
    expect((await running.agent.attempts()).at(-1)).toMatchObject({ ...target, revision: spec.id, code: "runtime.not_admitted" });
  });

  test("under an id that is not its configuration's is refused, though it is signed so", async () => {
    const target = aTarget();
    const spec = { ...aSpec({ artifact }), id: "0123456789ab" };
    const answer = await deployByHand(target, { ...spec, admission: await admit(running.home, target, spec) });
    expect(answer).toMatchObject({ status: 403, body: { detail: expect.stringContaining("is not that of its configuration") } });
  });

  test("that was admitted starts, and says by which decision", async () => {
    const target = aTarget();
    const spec = aSpec({ artifact });
    expect(await deployByHand(target, { ...spec, admission: await admit(running.home, target, spec) })).toMatchObject({ status: 200 });
    expect(await revisionOf(target)).toMatchObject({ revision: spec.id, decision: "dec_test", health: "healthy" });
  });

  test("admitted for bytes that the artifact does not have is refused by what the agent hashed itself", async () => {
    const target = aTarget();
    const own = await anArtifact(running.home);
    const spec = aSpec({ artifact: own });
    const admission = await admit(running.home, target, spec);
    await writeFile(own.path, await readFile((await anArtifact(running.home, { "main.mjs": "process.exit(1)" })).path));
    expect(await deployByHand(target, { ...spec, admission })).toMatchObject({ status: 412, body: { code: "runtime.artifact_mismatch" } });
    expect(marked(`CAIRN_REVISION=${spec.id}`)).toEqual([]);
  });

  test("another key laid beside the platform's gains nothing: the first one is kept", async () => {
    const pub = join(places(running.home).keys, "admission.pub");
    const right = await readFile(pub);
    const target = aTarget();
    const spec = aSpec({ artifact });
    await writeFile(pub, other.publicKey.export({ type: "spki", format: "pem" }));
    try {
      await running.agent.restart();
      const admission = other.sign(statement(target, spec), ADMISSION);
      expect(await deployByHand(target, { ...spec, admission })).toMatchObject({ status: 403 });
    } finally {
      await writeFile(pub, right);
    }
    await running.agent.deploy(target, spec);
  });
});

describe("a journal that somebody wrote in", () => {
  async function edited(change: (journal: Journal) => void): Promise<void> {
    const { journal } = agentPlaces(running.home);
    await stopAgent(running.home);
    const text = JSON.parse(await readFile(journal, "utf8")) as Journal;
    change(text);
    await writeFile(journal, JSON.stringify(text));
    await startAgent(running.home, { postgres: false });
  }

  test("starts and routes nothing that was not admitted so, and says it; an admitted deployment brings it back", async () => {
    const { target, spec, url } = await serving();
    await edited(({ targets }) => {
      const record = targets.find(({ service }) => service === target.service)?.revisions[0];
      if (record) record.spec.start = "node -e 'evil'; node main.mjs";
    });
    expect((await ask(url)).status).toBe(503);
    const { revisions, findings } = await running.agent.observe(target);
    expect(revisions).toMatchObject([{ health: "stopped", decision: null, because: expect.stringContaining("configuration") }]);
    expect(findings).toMatchObject([{ kind: "not_admitted", revision: spec.id }]);
    const weights = await byHand("PUT", `/targets/${target.service}/dev/weights`, { [spec.id]: 100 });
    expect(weights).toMatchObject({ status: 403, body: { code: "runtime.not_admitted" } });
    await running.agent.deploy(target, spec);
    expect((await ask(url)).status).toBe(200);
    expect((await running.agent.observe(target)).findings).toEqual([]);
  });

  test("that lost its admissions routes none of what lives until the platform admits it anew, and then the same process serves", async () => {
    const { target, spec, url, pid } = await serving();
    const { journal } = agentPlaces(running.home);
    const status = await running.agent.status();
    process.kill(status.keeperPid as number, "SIGKILL");
    process.kill(status.pid, "SIGKILL");
    await eventually(() => isGone(status.pid));
    const text = JSON.parse(await readFile(journal, "utf8")) as Journal;
    for (const { revisions } of text.targets) for (const record of revisions) delete record.spec.admission;
    await writeFile(journal, JSON.stringify(text));
    await startAgent(running.home, { postgres: false });
    expect((await ask(url)).status).toBe(503);
    expect(isGone(pid)).toBe(false);
    await running.agent.deploy(target, spec);
    expect((await ask(`${url}/pid`)).body).toBe(String(pid));
  });
});

describe("a quarantined digest", () => {
  const lift = async (digest: string, issuedAt = new Date()) =>
    signed(QUARANTINE_LIFT, { artifact: digest, because: "it was the database", by: "user:default/ada", issuedAt: issuedAt.toISOString() });

  test("does not start, whatever is re-run: deployed anew, after its death, after kill -9 and after a stop; what serves is left alone", async () => {
    const own = await anArtifact(running.home, { "main.mjs": SERVICE("first") });
    const { target, spec, url, pid } = await serving(aTarget(), own);
    await running.agent.bar(own.digest, "errors of the canary are worse");
    await running.agent.bar(own.digest, "again");
    expect((await ask(`${url}/pid`)).body).toBe(String(pid));
    expect((await running.agent.observe(target)).findings).toMatchObject([
      { kind: "quarantined", subject: own.digest, detail: expect.stringContaining("runs on") },
    ]);
    for (const again of [spec, aSpec({ artifact: own })])
      await expect(running.agent.deploy(aTarget(), again)).rejects.toMatchObject({
        code: "runtime.quarantined",
        message: expect.stringContaining("errors of the canary are worse"),
      });

    process.kill((await running.agent.status()).pid, "SIGKILL");
    await eventually(async () => (await ask(`${url}/pid`)).body === String(pid));
    process.kill(pid, "SIGKILL");
    await eventually(async () => (await revisionOf(target)).health === "stopped");
    expect(await revisionOf(target)).toMatchObject({ pid: null, because: expect.stringContaining("quarantined") });
    expect((await ask(url)).status).toBe(503);
    await stopAgent(running.home);
    await startAgent(running.home, { postgres: false });
    await eventually(async () => (await revisionOf(target)).health === "stopped");
    expect(marked(`CAIRN_REVISION=${spec.id}`)).toEqual([]);

    const before = await lift(own.digest, new Date(Date.now() - 3_600_000));
    for (const wrong of [undefined, before, await lift(artifact.digest), await signed(ADMISSION, { artifact: own.digest })])
      expect(await byHand("POST", `/quarantine/${own.digest}/lift`, wrong)).toMatchObject({
        status: 403,
        body: { code: "runtime.lift_refused" },
      });
    expect((await running.agent.attempts()).at(-1)).toMatchObject({ code: "runtime.lift_refused", operation: "lift a quarantine" });
    await running.agent.lift(own.digest, await lift(own.digest));
    await eventually(async () => (await ask(url)).status === 200);
    expect((await running.agent.observe(target)).findings).toEqual([]);
  });
});

const SERVICE = (name: string) => `
import http from "node:http";
http.createServer((request, response) => response.end(request.url === "/pid" ? String(process.pid) : ${JSON.stringify(name)}))
  .listen(process.env.PORT, process.env.HOST);
`;
