import { appendFile, cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import * as ours from "../../agent/client.ts";
import { anArtifact, aSpec, runningAgent } from "../../agent/testing/fixture.ts";
import { root } from "../../scripts/demo/tools.ts";
import { mixed, startLoad } from "./load.ts";
import type { Measurement } from "./report.ts";

const UPGRADES = 20;
const CLIENTS = 16;
const SERVED_MS = 300;

/** An agent of other code takes the place of the running one, there and back, twenty times while clients ask. */
export const upgrades: Measurement = async () => {
  const { home, agent, end } = await runningAgent();
  const elsewhere = await mkdtemp(join(tmpdir(), "cairn-version-"));
  try {
    const theirs = await otherVersion(elsewhere);
    const target = { service: "orders", environment: "production" };
    const spec = aSpec({ artifact: await anArtifact(home) });
    const { url } = await agent.ensureTarget(target);
    await agent.deploy(target, spec);
    await agent.setWeights(target, { [spec.id]: 100 });
    const load = startLoad(url, mixed(CLIENTS), 10);
    const seconds: number[] = [];
    const pids = new Set([(await agent.status()).pid]);
    for (let upgrade = 0; upgrade < UPGRADES; upgrade++) {
      const startedAt = performance.now();
      await (upgrade % 2 === 0 ? theirs : ours).startAgent(home, { postgres: false });
      seconds.push((performance.now() - startedAt) / 1000);
      await new Promise((wake) => setTimeout(wake, SERVED_MS)); // connections are kept anew, for the next to break
      pids.add((await agent.status()).pid);
    }
    const { latencies, failures } = await load.stop();
    for (const failure of new Set(failures)) console.log(`  ${failures.filter((each) => each === failure).length} × ${failure}`);
    if (pids.size !== UPGRADES + 1) throw new Error(`there were ${pids.size} agents, not ${UPGRADES + 1}`);
    return [
      { what: `failed requests over ${UPGRADES} agent upgrades`, unit: "", samples: [failures.length], most: 0 },
      { what: "requests answered meanwhile", unit: "", samples: [latencies.length] },
      { what: "an upgrade", unit: "s", samples: seconds },
    ];
  } finally {
    await end();
    await rm(elsewhere, { recursive: true, force: true });
  }
};

/** A copy of the agent whose code differs by a line. */
async function otherVersion(folder: string): Promise<typeof ours> {
  for (const part of ["agent", "platform/kernel", "platform/secrets", "platform/runtime", "platform/evidence"]) {
    await mkdir(dirname(join(folder, part)), { recursive: true });
    await cp(join(root, part), join(folder, part), { recursive: true, filter: (path) => !path.includes("node_modules") });
  }
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  await appendFile(join(folder, "agent", "model.ts"), "\n// another version\n");
  return (await import(pathToFileURL(join(folder, "agent", "client.ts")).href)) as typeof ours;
}
