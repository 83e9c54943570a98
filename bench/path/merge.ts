import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addressOf, git } from "../../e2e/outside.ts";
import { sendTraffic } from "../../scripts/demo/traffic.ts";
import type { Delivered, Ground } from "./ground.ts";
import { median, type Measurement, type Row } from "./report.ts";

const SERVICES = 3;
const MERGE_SECONDS = 45;
const TRAFFIC_PER_SECOND = 150;

/**
 * From the merge that a person asks for to 100 % in production: the first release of a service, three times, and a later change of one of them, which a canary judges
 * under traffic. Of each, what every stage took of it.
 */
export const merge: Measurement = async (ground) => {
  const first: Delivered[] = [];
  for (let n = 0; n < SERVICES; n++) first.push(await ground.service(`bench-merge-${n}`));
  return [
    ...rowsOf("a new service", first),
    ...rowsOf("a change of one with traffic", [await changeUnderTraffic(ground, "bench-merge-0")]),
  ];
};

function rowsOf(what: string, deliveries: readonly Delivered[]): Row[] {
  const times = deliveries.map(timesOf);
  const all = times.map(({ seconds }) => seconds);
  const stages = times[0]?.stages.map(({ stage }, n): Row => {
    const samples = times.map((each) => each.stages[n]?.seconds ?? Number.NaN);
    return { what: `  ${stage}: ${Math.round((100 * median(samples)) / median(all))} %`, unit: "s", samples };
  });
  return [{ what: `merge to 100 % in production, ${what}`, unit: "s", samples: all, most: MERGE_SECONDS }, ...(stages ?? [])];
}

/** The whole and its stages, one after the other without a gap: each lasts until the next begins. */
function timesOf({ askedAt, run }: Delivered): { seconds: number; stages: { stage: string; seconds: number }[] } {
  const last = run.steps.find(({ name }) => name === "roll out to production");
  const end = Date.parse(last?.endedAt ?? "");
  const marks = [{ stage: "merge, until the delivery begins", at: askedAt }];
  for (const { name, startedAt } of run.steps) {
    const stage = stageOf(name);
    const at = Date.parse(startedAt);
    if (stage !== marks.at(-1)?.stage && at < end) marks.push({ stage, at });
  }
  return {
    seconds: (end - askedAt) / 1000,
    stages: marks.map(({ stage, at }, n) => ({ stage, seconds: ((marks[n + 1]?.at ?? end) - at) / 1000 })),
  };
}

function stageOf(step: string): string {
  const [, what, environment] = /^(plan|gate|infrastructure for|begin|note) (.*)$/.exec(step) ?? [];
  if (what === "note") return `roll out to ${environment}`;
  return what === undefined ? step : `plan, policy and infrastructure of ${environment}`;
}

/** Changes a service that has traffic in production, so that its canary has something to judge. */
async function changeUnderTraffic(ground: Ground, service: string): Promise<Delivered> {
  const platform = await ground.platform();
  const folder = await mkdtemp(join(tmpdir(), "cairn-bench-"));
  const traffic = sendTraffic(`${await addressOf(platform, service, "production")}/items`, TRAFFIC_PER_SECOND);
  try {
    await git(platform, folder, "clone", "--quiet", `${platform.url}/git/${service}.git`, "work");
    const work = join(folder, "work");
    await git(platform, work, "checkout", "--quiet", "-b", "remark");
    await appendFile(join(work, "src", "main.js"), "\n// A change that changes nothing.\n");
    await git(platform, work, "commit", "--quiet", "--all", "--message", "Remark that nothing changes");
    await git(platform, work, "push", "--quiet", "origin", "remark");
    const { number } = await platform.cairn<{ number: number }>(
      "changes",
      "open",
      service,
      "remark",
      "--title",
      "Remark that nothing changes",
    );
    return await ground.deliver(service, number);
  } finally {
    await traffic.stop();
    await rm(folder, { recursive: true, force: true });
  }
}
