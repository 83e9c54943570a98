import { Agent } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { aDeployment, anArtifact, aSpec, ask, eventually } from "@cairn/agent/testing/fixture.ts";
import { QUARANTINE_LIFT, type Envelope, type QuarantineLift } from "./admission.ts";
import { LATENCY_BOUNDS_SECONDS, type Revision, type Runtime, type Target } from "./contract.ts";

export interface RuntimeUnderTest {
  runtime: Runtime;
  /** A folder for artifacts that the runtime can read. */
  folder: string;
  /** The platform's signature for a revision. */
  admit(revision: Revision): Promise<Envelope>;
  /** The platform's signature for the end of a quarantine. */
  sign(payloadType: string, lift: QuarantineLift): Promise<Envelope>;
  /** Ends the data plane as kill -9 does. What restarts it is the runtime's own matter. */
  crash(): Promise<void>;
  end(): Promise<void>;
}

/** What every runtime promises. Each provider's test calls it. */
export const runtimeContract = (name: string, start: () => Promise<RuntimeUnderTest>) =>
  describe(`${name} keeps the contract of a runtime`, () => {
    let under: RuntimeUnderTest;
    let runtime: Omit<Runtime, "deploy"> & { deploy(revision: Revision): Promise<void> };
    let artifact: Revision["artifact"];
    let services = 0;
    beforeAll(async () => {
      under = await start();
      runtime = {
        ...under.runtime,
        deploy: async (revision) => under.runtime.deploy({ ...revision, admission: await under.admit(revision) }),
      };
      artifact = await anArtifact(under.folder);
    });
    afterAll(() => under?.end());

    const aTarget = (): Target => ({ service: `orders-${++services}`, environment: "dev" });
    const aRevision = (target: Target, overrides: Partial<Pick<Revision, "artifact" | "start" | "manifests">> = {}): Revision => ({
      ...aSpec({ artifact, ...overrides }),
      target,
    });
    const serving = async (target: Target): Promise<{ url: string; revision: Revision }> => {
      const { url } = await runtime.ensureTarget(target);
      const revision = aRevision(target);
      await runtime.deploy(revision);
      await runtime.setTraffic(target, { [revision.id]: 100 });
      return { url, revision };
    };

    test("ensureTarget() gives one address twice, which answers 503 with what to do until a revision has traffic", async () => {
      const target = aTarget();
      const [first, second] = await Promise.all([runtime.ensureTarget(target), runtime.ensureTarget(target)]);
      expect(second.url).toBe(first.url);
      const answer = await ask(first.url);
      expect(answer.status).toBe(503);
      expect(JSON.parse(answer.body)).toMatchObject({ code: "proxy.no_revision", next: expect.any(String) });
      expect(await runtime.targets()).toContainEqual(target);
    });

    test("observe() refuses a target that nobody asked for", async () => {
      await expect(runtime.observe({ service: "nobody", environment: "dev" })).rejects.toMatchObject({ code: "runtime.target_unknown" });
    });

    test("deploy() refuses an artifact whose bytes are not those of its digest, and leaves nothing", async () => {
      const target = aTarget();
      const revision = aRevision(target, { artifact: { ...artifact, digest: `sha256:${"0".repeat(64)}` } });
      await expect(runtime.deploy(revision)).rejects.toMatchObject({ code: "runtime.artifact_mismatch" });
      expect((await runtime.observe(target)).readings).toEqual([]);
    });

    test("deploy() refuses a service that does not become healthy, tells its last words, and leaves nothing running", async () => {
      const target = aTarget();
      const revision = aRevision(target, { start: "echo no database here; exit 3" });
      await expect(runtime.deploy(revision)).rejects.toMatchObject({
        code: "runtime.unhealthy",
        message: expect.stringContaining("no database here"),
      });
      expect((await runtime.observe(target)).readings).toEqual([]);
    });

    test("deploy() twice with one revision leaves one running, without traffic", async () => {
      const target = aTarget();
      const revision = aRevision(target);
      await Promise.all([runtime.deploy(revision), runtime.deploy(revision)]);
      await runtime.deploy(revision);
      const { readings } = await runtime.observe(target);
      expect(readings).toMatchObject([
        {
          revision: revision.id,
          artifactDigest: artifact.digest,
          health: "healthy",
          weightPercent: 0,
          restarts: 0,
          requests: 0,
          errors: 0,
        },
      ]);
      expect(readings[0]?.latency).toHaveLength(LATENCY_BOUNDS_SECONDS.length + 1);
    });

    test("deploy() refuses what is not admitted: by nobody, or as something else; the attempt is told, and nothing is left", async () => {
      const target = aTarget();
      const revision = aRevision(target);
      const other = await under.admit(aRevision(target));
      for (const admission of [undefined as never, other, { ...other, payload: "" }])
        await expect(under.runtime.deploy({ ...revision, admission })).rejects.toMatchObject({ code: "runtime.not_admitted" });
      expect(await runtime.targets()).not.toContainEqual(target);
      expect((await runtime.attempts()).at(-1)).toMatchObject({ ...target, revision: revision.id, code: "runtime.not_admitted" });
    });

    test("quarantine() bars an artifact from starting until its end is signed; what serves of it serves on, and is found", async () => {
      const target = aTarget();
      const own = await anArtifact(under.folder, { "main.mjs": aService("quarantined") });
      const { url } = await runtime.ensureTarget(target);
      const revision = aRevision(target, { artifact: own });
      await runtime.deploy(revision);
      await runtime.setTraffic(target, { [revision.id]: 100 });
      await runtime.quarantine(own.digest, "it was worse");
      await runtime.quarantine(own.digest, "it was worse");
      expect(await runtime.quarantined()).toMatchObject([{ artifact: own.digest, because: "it was worse" }]);
      await expect(runtime.deploy(aRevision(target, { artifact: own }))).rejects.toMatchObject({
        code: "runtime.quarantined",
        message: expect.stringContaining("it was worse"),
      });
      expect((await ask(url)).status).toBe(200);
      expect((await runtime.observe(target)).findings).toMatchObject([{ kind: "quarantined", revision: revision.id }]);
      const lift = { artifact: own.digest, because: "it was the database", by: "user:default/ada", issuedAt: new Date().toISOString() };
      const old = { ...lift, issuedAt: new Date(0).toISOString() };
      for (const wrong of [await under.sign("application/json", lift), await under.sign(QUARANTINE_LIFT, old)])
        await expect(runtime.liftQuarantine(own.digest, wrong)).rejects.toMatchObject({ code: "runtime.lift_refused" });
      const signed = await under.sign(QUARANTINE_LIFT, { ...lift, issuedAt: new Date().toISOString() });
      await runtime.liftQuarantine(own.digest, signed);
      await runtime.liftQuarantine(own.digest, signed);
      await runtime.deploy(aRevision(target, { artifact: own }));
      expect(await runtime.quarantined()).toEqual([]);
    });

    test("setTraffic() refuses weights that do not sum to 100 and revisions that do not run", async () => {
      const target = aTarget();
      const { revision } = await serving(target);
      for (const weights of [
        { [revision.id]: 99 },
        { [revision.id]: 101 },
        { [revision.id]: 110, a: -10 },
        { [revision.id]: 50, "000000000000": 50 },
      ])
        await expect(runtime.setTraffic(target, weights)).rejects.toMatchObject({ code: "runtime.weights_invalid" });
      expect((await runtime.observe(target)).readings[0]?.weightPercent).toBe(100);
    });

    test("setTraffic() without any revision takes the target out of service, and a revision brings it back", async () => {
      const target = aTarget();
      const { url, revision } = await serving(target);
      await runtime.setTraffic(target, {});
      expect((await ask(url)).status).toBe(503);
      await runtime.setTraffic(target, { [revision.id]: 100 });
      expect((await ask(url)).status).toBe(200);
    });

    test("setTraffic() without weights takes a target out of service, and what ran can be retired then", async () => {
      const target = aTarget();
      const { url, revision } = await serving(target);
      await runtime.setTraffic(target, {});
      expect((await fetch(url)).status).toBe(503);
      await runtime.retire(target, revision.id);
      expect((await runtime.observe(target)).readings).toEqual([]);
    });

    test("setTraffic() splits exactly, names the revision and its digest in each answer, and counts for each", async () => {
      const target = aTarget();
      const { url, revision: stable } = await serving(target);
      const canary = aRevision(target);
      await runtime.deploy(canary);
      await runtime.setTraffic(target, { [stable.id]: 90, [canary.id]: 10 });
      const agent = new Agent({ keepAlive: true });
      const answers = await Promise.all(Array.from({ length: 200 }, (_, n) => ask(`${url}${n % 4 === 0 ? "/fail" : "/"}`, { agent })));
      agent.destroy();
      expect(answers.every(({ headers }) => headers["x-cairn-digest"] === artifact.digest)).toBe(true);
      expect(answers.filter(({ headers }) => headers["x-cairn-revision"] === canary.id)).toHaveLength(20);
      const { readings } = await runtime.observe(target);
      const counted = readings.map(({ revision, requests, latency }) => ({ revision, requests, sum: latency.reduce((a, b) => a + b, 0) }));
      expect(counted).toEqual([
        { revision: stable.id, requests: 180, sum: 180 },
        { revision: canary.id, requests: 20, sum: 20 },
      ]);
      const failed = answers.filter(({ status }) => status === 500).length;
      expect(readings.reduce((sum, { errors }) => sum + errors, 0)).toBe(failed);
    });

    test("retire() refuses a revision with traffic, and takes one that is gone for done", async () => {
      const target = aTarget();
      const { url, revision } = await serving(target);
      await expect(runtime.retire(target, revision.id)).rejects.toMatchObject({ code: "runtime.revision_has_traffic" });
      const next = aRevision(target);
      await runtime.deploy(next);
      const pid = Number((await ask(`${url}/pid`)).body);
      await runtime.setTraffic(target, { [next.id]: 100 });
      await Promise.all([runtime.retire(target, revision.id), runtime.retire(target, revision.id)]);
      await runtime.retire(target, revision.id);
      expect((await runtime.observe(target)).readings).toMatchObject([{ revision: next.id }]);
      await eventually(() => isGone(pid));
    });

    test("retire() lets a request that is under way end", async () => {
      const target = aTarget();
      const { url, revision } = await serving(target);
      const next = aRevision(target);
      await runtime.deploy(next);
      const slow = ask(`${url}/slow`);
      await eventually(async () => (await runtime.observe(target)).readings.length === 2);
      await runtime.setTraffic(target, { [next.id]: 100 });
      await runtime.retire(target, revision.id);
      expect(await slow).toMatchObject({ status: 200, body: "slow" });
    });

    test("fifty swaps of revisions under load lose no request", { timeout: 180_000 }, async () => {
      const target = aTarget();
      let { url, revision } = await serving(target);
      const load = underLoad(url);
      for (let swap = 0; swap < 50; swap++) {
        const next = aRevision(target);
        await runtime.deploy(next);
        await runtime.setTraffic(target, { [next.id]: 100 });
        await runtime.retire(target, revision.id);
        revision = next;
      }
      const { failures, answered } = await load.stop();
      expect(failures).toEqual([]);
      expect(answered).toBeGreaterThan(50);
      expect((await runtime.observe(target)).readings).toMatchObject([{ revision: revision.id, errors: 0 }]);
    });

    test("a process that dies is started again and counted, and its failures are its revision's", async () => {
      const target = aTarget();
      const { url, revision } = await serving(target);
      const before = (await ask(`${url}/pid`)).body;
      const answer = await ask(`${url}/die`, { method: "POST" });
      expect(answer).toMatchObject({ status: 502, headers: { "x-cairn-revision": revision.id, "x-cairn-digest": artifact.digest } });
      const after = await eventually(async () => {
        const pid = await ask(`${url}/pid`);
        return pid.status === 200 && pid.body;
      });
      expect(after).not.toBe(before);
      const [reading] = await eventually(async () => {
        const { readings } = await runtime.observe(target);
        return readings[0]?.health === "healthy" && readings;
      });
      expect(reading).toMatchObject({ restarts: 1 });
      expect(reading?.errors).toBeGreaterThanOrEqual(1);
    });

    test("logs() gives the last lines of a revision in order, with the runtime's own", async () => {
      const target = aTarget();
      const revision = aRevision(target, { start: "for n in 1 2 3; do echo line $n; done; echo careful >&2; exec node main.mjs" });
      await runtime.deploy(revision);
      const lines = await eventually(async () => {
        const found = await runtime.logs(target, { revision: revision.id });
        return found.some(({ line }) => line === "listening") && found;
      });
      const said = (stream: string) => lines.filter((line) => line.stream === stream).map(({ line }) => line);
      expect(said("out")).toEqual(["line 1", "line 2", "line 3", "listening"]);
      expect(said("err")).toEqual(["careful"]);
      expect(said("agent")).toContain("healthy");
      const [last] = await runtime.logs(target, { limit: 1 });
      expect(last).toEqual(lines.at(-1));
      expect(await runtime.logs(target, { after: new Date(Date.now() + 60_000) })).toEqual([]);
      expect((await runtime.logs(target, { text: "line 2" })).map(({ line }) => line)).toEqual(["line 2"]);
      const place = await runtime.tail(target, { limit: 1 });
      expect(place.lines).toEqual([last]);
      await runtime.retire(target, revision.id);
      const more = await runtime.tail(target, { cursor: place.cursor });
      expect(more.lines.filter(({ stream }) => stream === "agent").map(({ line }) => line)).toContain("stopped");
      expect((await runtime.tail(target, { cursor: more.cursor })).lines).toEqual([]);
    });

    test("after kill -9 of the data plane services answer on under the same address, with weights and process kept, and nothing runs twice", async () => {
      const target = aTarget();
      const { url, revision: stable } = await serving(target);
      const canary = aRevision(target, { manifests: [aDeployment({ livenessProbe: { httpGet: { path: "/" } } })] });
      await runtime.deploy(canary);
      await runtime.setTraffic(target, { [stable.id]: 75, [canary.id]: 25 });
      const pids = async () =>
        [...new Set(await Promise.all(Array.from({ length: 40 }, async () => (await ask(`${url}/pid`)).body)))].sort();
      const before = await pids();
      expect(before).toHaveLength(2);
      const load = underLoad(url, { fresh: true });
      for (let crash = 0; crash < 3; crash++) {
        await under.crash();
        await eventually(async () => (await ask(url)).status === 200);
      }
      const { failures, answered } = await load.stop();
      expect(failures.filter((failure) => failure.includes("ECONNREFUSED") || failure.includes("status"))).toEqual([]);
      expect(answered).toBeGreaterThan(0);
      expect(await pids()).toEqual(before);
      const { readings, url: after } = await runtime.observe(target);
      expect(after).toBe(url);
      expect(readings).toMatchObject([
        { revision: stable.id, weightPercent: 75, health: "healthy", restarts: 0 },
        { revision: canary.id, weightPercent: 25, health: "healthy", restarts: 0 },
      ]);
    });

    test("deploy() under which the data plane dies leaves one running all the same", async () => {
      const target = aTarget();
      const revision = aRevision(target, { start: "sleep 1; exec node main.mjs" });
      await runtime.ensureTarget(target);
      const deployed = runtime.deploy(revision);
      await eventually(async () => (await runtime.observe(target)).readings.length === 1);
      await under.crash();
      await deployed;
      expect((await runtime.observe(target)).readings).toMatchObject([{ revision: revision.id, health: "healthy" }]);
      expect((await runtime.logs(target, { revision: revision.id })).filter(({ line }) => line === "listening")).toHaveLength(1);
    });

    test("remove() stops all of a target and frees its address; twice is once", async () => {
      const target = aTarget();
      const { url } = await serving(target);
      const pid = Number((await ask(`${url}/pid`)).body);
      await runtime.remove(target);
      await runtime.remove(target);
      await eventually(() => isGone(pid));
      await expect(ask(url)).rejects.toThrow("ECONNREFUSED");
      expect(await runtime.targets()).not.toContainEqual(target);
    });
  });

const aService = (name: string): string =>
  `import http from "node:http"; http.createServer((_, answer) => answer.end(${JSON.stringify(name)})).listen(process.env.PORT, process.env.HOST);`;

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

/** A few clients that ask again and again. `fresh`: each time on a new connection. */
function underLoad(url: string, options: { fresh?: boolean } = {}) {
  const failures: string[] = [];
  const stopped = new AbortController();
  let answered = 0;
  const client = async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (!stopped.signal.aborted) {
      try {
        const { status } = await ask(url, options.fresh ? {} : { agent });
        if (status === 200) answered += 1;
        else failures.push(`status ${status}`);
      } catch (error) {
        failures.push(String(error));
      }
    }
    agent.destroy();
  };
  const clients = Array.from({ length: 4 }, client);
  return {
    async stop() {
      stopped.abort();
      await Promise.all(clients);
      return { failures, answered };
    },
  };
}
