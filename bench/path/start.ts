import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { newHome, removeHome } from "../../e2e/platform.ts";
import { root } from "../../scripts/demo/tools.ts";
import type { Measurement } from "./report.ts";

const execute = promisify(execFile);
const WARM_STARTS = 5;
const WARM_SECONDS = 3;

/**
 * From the command to its answer, which comes when /readyz says so: the first start of a home (a database made, every table, nothing compiled), starts of everything
 * afterwards, and starts of the server alone beside an agent that runs.
 */
export const start: Measurement = async () => {
  const { home, env } = await newHome();
  const cairn = async (...args: string[]): Promise<number> => {
    const startedAt = performance.now();
    await execute(join(root, "cairn"), args, { env, cwd: root });
    return (performance.now() - startedAt) / 1000;
  };
  const warm: number[] = [];
  const server: number[] = [];
  try {
    const first = await cairn("start");
    for (let n = 0; n < WARM_STARTS; n++) {
      await cairn("stop");
      server.push(await cairn("start"));
      await cairn("stop", "--all");
      warm.push(await cairn("start"));
    }
    return [
      { what: "first start of a home", unit: "s", samples: [first] },
      { what: "warm start: server, agent, PostgreSQL", unit: "s", samples: warm, most: WARM_SECONDS },
      { what: "warm start of the server alone", unit: "s", samples: server },
    ];
  } finally {
    await cairn("stop", "--all");
    await removeHome(home);
  }
};
