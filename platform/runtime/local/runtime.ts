import type { AgentClient } from "@cairn/agent/client.ts";
import type { AgentLogLine, TargetStatus } from "@cairn/agent/model.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { LogLine, Observation, Runtime } from "../contract.ts";

/** The runtime of one machine: the agent runs the services as processes behind its proxy. */
export function localRuntime(agent: AgentClient, clock: Clock): Runtime {
  return {
    ensureTarget: (target) => agent.ensureTarget(target),
    deploy: ({ target, ...spec }) => agent.deploy(target, spec),
    setTraffic: (target, weights) => agent.setWeights(target, weights),
    observe: async (target) => observationOf(await agent.observe(target), clock.now()),
    retire: (target, revision) => agent.retire(target, revision),
    remove: (target) => agent.remove(target),
    targets: () => agent.targets(),
    quarantine: (artifact, because) => agent.bar(artifact, because),
    liftQuarantine: (artifact, signed) => agent.lift(artifact, signed),
    quarantined: () => agent.quarantine(),
    attempts: async () => (await agent.attempts()).map((attempt) => ({ ...attempt, at: new Date(attempt.at) })),
    logs: async (target, options) => (await agent.logs(target, options)).map(lineOf),
    tail: async (target, options) => {
      const { lines, ...place } = await agent.tail(target, options);
      return { ...place, lines: lines.map(lineOf) };
    },
  };
}

const lineOf = (line: AgentLogLine): LogLine => ({ ...line, at: new Date(line.at) });

const observationOf = ({ target, url, revisions, findings, callers }: TargetStatus, at: Date): Observation => ({
  target,
  callers,
  at,
  url,
  findings: findings.map((finding) => ({ ...finding, foundAt: new Date(finding.foundAt) })),
  readings: revisions.map(
    ({ revision, artifactDigest, epoch, requests, errors, latency, weightPercent, health, restarts, startedAt, memoryBytes }) => ({
      revision,
      artifactDigest,
      epoch,
      requests,
      errors,
      latency,
      weightPercent,
      health,
      restarts,
      startedAt: new Date(startedAt),
      memoryBytes,
    }),
  ),
});
