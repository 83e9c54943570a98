import { anArtifact, aSpec, runningAgent } from "../../agent/testing/fixture.ts";
import { mixed, startLoad } from "./load.ts";
import type { Measurement } from "./report.ts";

const SWAPS = 50;
const CLIENTS = 16;

/** A revision starts, takes all traffic, and the one before it is retired, fifty times while clients ask: on a real agent, as a rollout asks it to. */
export const swaps: Measurement = async () => {
  const { home, agent, end } = await runningAgent();
  try {
    const target = { service: "orders", environment: "production" };
    const artifact = await anArtifact(home);
    const { url } = await agent.ensureTarget(target);
    let serving = aSpec({ artifact });
    await agent.deploy(target, serving);
    await agent.setWeights(target, { [serving.id]: 100 });
    const load = startLoad(url, mixed(CLIENTS), 10);
    const seconds: number[] = [];
    for (let swap = 0; swap < SWAPS; swap++) {
      const startedAt = performance.now();
      const next = aSpec({ artifact });
      await agent.deploy(target, next);
      await agent.setWeights(target, { [serving.id]: 50, [next.id]: 50 });
      await agent.setWeights(target, { [next.id]: 100 });
      await agent.retire(target, serving.id);
      serving = next;
      seconds.push((performance.now() - startedAt) / 1000);
    }
    const { latencies, failures } = await load.stop();
    for (const failure of new Set(failures)) console.log(`  ${failures.filter((each) => each === failure).length} × ${failure}`);
    return [
      { what: `failed requests over ${SWAPS} revision swaps`, unit: "", samples: [failures.length], most: 0 },
      { what: "requests answered meanwhile", unit: "", samples: [latencies.length] },
      { what: "a swap", unit: "s", samples: seconds },
    ];
  } finally {
    await end();
  }
};
