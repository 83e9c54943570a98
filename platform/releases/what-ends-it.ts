import type { Release, Round } from "./model.ts";
import type { RolloutRules } from "./rollout.ts";

const share = (of: number): string => `${Number((of * 100).toFixed(2))} %`;

/** What would end the present step of a release, one sentence each; nothing once it has ended. */
export function whatEndsIt(release: Release, rules: RolloutRules | null, last: Round | undefined): string[] {
  if (!rules || !last || release.endedAt) return [];
  const { canary, health } = rules;
  const ends = [
    `Rolled back when more than ${share(canary.ceiling.errorShare)} of its last ${canary.ceiling.requests} requests fail`,
    `Rolled back when it is not healthy for ${health.unhealthySeconds} s, or restarts more than ${health.maxRestarts} times`,
  ];
  const deadline = last.stepEndsAt.toISOString();
  if (rules.judgedBy !== "canary")
    return [
      `Promoted after ${rules.watchSeconds} s at 100 % of being healthy${rules.judgedBy === "smoke" ? " with the smoke test passed" : ": there is no baseline to compare with"}`,
      ...ends,
      `Rolled back at ${deadline} if that is still not known`,
    ];
  const open = last.tests.filter((test) => test.process === "not_worse" && !test.decided);
  const more = open.map(
    ({ metric, requestsNeeded }) =>
      `${metric}: ${requestsNeeded === null ? "not gaining yet" : `about ${requestsNeeded} more canary requests`}`,
  );
  const what = rules.slowSeconds === null ? "errors" : `errors and slow requests (over ${rules.slowSeconds} s)`;
  const late = { roll_back: "rolled back", hold: "held for the owner", promote: "passed as unknown, accepted by rule" }[
    rules.unknownAtDeadline
  ];
  return [
    `Passes the step when ${what} are shown to be less than ${share(canary.margin)} above the stable revision's${more.length ? ` (${more.join("; ")})` : ""}`,
    `Rolled back when either is shown to be more than ${share(canary.tolerance)} above`,
    ...ends,
    `Unknown at ${deadline}: ${late}`,
  ];
}
