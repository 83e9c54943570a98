import type { Plan } from "../../e2e/outside.ts";
import type { Measurement } from "./report.ts";

const PLANS = 20;
const BY_CLI = 5;
const PLAN_MS = 300;

/** A plan for a new service with a database: each of another name, so that none is found made. Over HTTP, and by the command that a person types. */
export const plan: Measurement = async (ground) => {
  const { api, cairn } = await ground.platform();
  const answers = (name: string) => ({ service_name: name, owner_team: "example-shop", database: true });
  const post = (name: string) => api<Plan>("/api/plans", { goldenPath: "http-api", answers: answers(name) });
  const first = await milliseconds(() => post("bench-plan-first"));
  const http: number[] = [];
  for (let n = 0; n < PLANS; n++) http.push(await milliseconds(() => post(`bench-plan-${n}`)));
  const cli: number[] = [];
  for (let n = 0; n < BY_CLI; n++) {
    const flags = Object.entries(answers(`bench-plan-cli-${n}`)).flatMap(([name, value]) => ["-a", `${name}=${value}`]);
    cli.push(await milliseconds(() => cairn("create", "http-api", ...flags)));
  }
  return [
    { what: "plan, over HTTP", unit: "ms", samples: http, most: PLAN_MS },
    { what: "the first plan since the start, over HTTP", unit: "ms", samples: [first] },
    { what: "plan, by cairn create", unit: "ms", samples: cli },
  ];
};

async function milliseconds(act: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await act();
  return performance.now() - startedAt;
}
