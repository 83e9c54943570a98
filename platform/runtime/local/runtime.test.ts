import { admit, runningAgent } from "@cairn/agent/testing/fixture.ts";
import { LATENCY_BOUNDS_SECONDS as AGENT_BOUNDS } from "@cairn/agent/model.ts";
import { expect, test } from "vitest";
import { systemClock } from "../../kernel/clock.ts";
import { places } from "../../kernel/config.ts";
import { LATENCY_BOUNDS_SECONDS } from "../contract.ts";
import { runtimeContract } from "../contract-suite.ts";
import { admissionSigner } from "./key.ts";
import { localRuntime } from "./runtime.ts";

runtimeContract("the local runtime", async () => {
  const { home, agent, end } = await runningAgent();
  return {
    runtime: localRuntime(agent, systemClock),
    folder: home,
    admit: (revision) => admit(home, revision.target, revision),
    sign: async (payloadType, lift) => (await admissionSigner(places(home).keys))(payloadType, lift),
    async crash() {
      const { pid } = await agent.status();
      process.kill(pid, "SIGKILL");
    },
    end,
  };
});

test("the agent counts latency in the buckets of the contract", () => {
  expect(AGENT_BOUNDS).toEqual(LATENCY_BOUNDS_SECONDS);
});
