import { mkdtemp, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { emptyCell, type Cell } from "./ci/cell.ts";
import { readDescriptors, type Descriptors } from "./ci/descriptors.ts";
import { buildEnvironment, MARK, passedOn } from "./ci/environment.ts";
import { killLeftovers } from "./ci/leftovers.ts";
import { runContract, type BuildEvent, type BuildResult } from "./ci/run-contract.ts";
import { systemClock } from "./kernel/clock.ts";
import { newId } from "./kernel/ids.ts";
import { checks } from "./offline/checks.ts";

export type { BuildEvent, BuildResult } from "./ci/run-contract.ts";
export type { PolicyCheck } from "./offline/policy.ts";
export type { PolicySubject } from "./policy/model.ts";

/**
 * `cairn ci`: builds and tests a folder as the platform does it, without a server. Results go to `out`; what happens is told by `onEvent`. The environment is scrubbed as the platform's
 * runner does it, but keeps the caller's home and caches. With `asRunner` it is taken as it stands, mark included: the runner has made it.
 */
export async function cairnCi(order: {
  folder: string;
  out: string;
  onEvent: (event: BuildEvent) => void;
  env?: NodeJS.ProcessEnv;
  asRunner?: boolean;
  evenWithFailedTests?: boolean;
  /** What keeps the commands away from their surroundings; nothing unless the runner says so. */
  cell?: Cell;
  signal?: AbortSignal;
}): Promise<BuildResult> {
  const from = order.env ?? process.env;
  const temp = await mkdtemp(join(tmpdir(), "cairn-ci-"));
  const mark = (order.asRunner && from[MARK]) || newId("ci", systemClock);
  try {
    return await runContract({
      folder: resolve(order.folder),
      out: resolve(order.out),
      env: order.asRunner
        ? definedOnly(from)
        : buildEnvironment({
            from,
            nodeFolder: dirname(process.execPath),
            home: from.HOME ?? homedir(),
            temp,
            mark,
            alsoPass: passedOn(from),
          }),
      clock: systemClock,
      onEvent: order.onEvent,
      checks,
      sweep: async () => {
        await killLeftovers(mark);
        if (order.cell) await emptyCell(order.cell);
      },
      ...(order.cell && { cell: order.cell }),
      ...(order.evenWithFailedTests && { evenWithFailedTests: true }),
      ...(order.signal && { signal: order.signal }),
    });
  } finally {
    await rm(temp, { recursive: true, force: true });
  }
}

/** `cairn check`: reads the descriptors of a folder and says what is wrong with them. */
export const cairnCheck = (folder: string): Promise<Descriptors> => readDescriptors(resolve(folder), checks);

/** Why a repository's own descriptor can't be that of a service; loaded where it is asked for. */
export const whyUnusable = async (...asked: Parameters<typeof import("./offline/contract-file.ts").whyUnusable>) =>
  (await import("./offline/contract-file.ts")).whyUnusable(...asked);

/** What judging without the server needs; loaded where it is asked for, since a build needs none of it. */
export const offlinePolicy = () => import("./offline/policy.ts");

/** What other rules would say of what runs. */
export const offlineTry = () => import("./offline/try.ts");

/** Auditing an exported ledger. */
export const offlineAudit = () => import("./offline/audit.ts");

const definedOnly = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
