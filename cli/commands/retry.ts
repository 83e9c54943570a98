import type { Command } from "commander";
import { answer } from "@cairn/api";
import { Fault } from "@cairn/platform/kernel/faults.ts";
import { changeName, tell, until } from "../answer.ts";
import { session, type Session } from "../session.ts";
import { checked, review, tellChecked } from "./changes.ts";
import { ran } from "./create.ts";

/** Trying once more what failed, whatever it is called by. */
export function retryCommands(program: Command): void {
  program
    .command("retry <subject>")
    .description("try once more: the checks of a change request, or a delivery, by its run, release or service")
    .option("-b, --because <reason>", "kept in the ledger", "tried once more by hand")
    .option("-w, --watch", "until it has ended")
    .action(async (subject: string, options: { because: string; watch?: boolean }, command: Command) => {
      const here = await session(process.env);
      const change = changeOf(subject);
      if (change) return checkAgain(here, change, options.watch === true, command);
      const service = await serviceOf(here, subject);
      const params = { path: { name: service } };
      const { run } = await answer(here.api.POST("/api/services/{name}/deliver", { params, body: { because: options.because } }));
      if (!options.watch) return tell(command, { run }, () => `Under way: cairn runs show ${run} --watch`);
      await ran(here, run, command, `${service} is delivered.`);
    });
}

async function checkAgain(here: Session, name: string, watch: boolean, command: Command): Promise<void> {
  const before = await review(here, name);
  const asked = await answer(here.api.POST("/api/changes/{repository}/{number}/check", { params: { path: changeName(name) } }));
  if (!watch) return tell(command, asked, () => `Under way: cairn changes show ${name} --watch`);
  // Until the new checks have begun there is nothing to see but the old ones.
  const marks = (seen: typeof before) => JSON.stringify(seen.checks);
  await until(() => review(here, name), (seen) => marks(seen) !== marks(before)); // prettier-ignore
  tellChecked(command, await checked(here, name));
}

/** `orders/2`, also where its run is named: `check-orders-2-…`. */
const changeOf = (subject: string): string | undefined =>
  /^[a-z][a-z0-9-]*[/#]\d+$/.test(subject) ? subject.replace("#", "/") : undefined;

async function serviceOf({ api }: Session, subject: string): Promise<string> {
  if (subject.startsWith("rel-")) return (await answer(api.GET("/api/releases/{id}", { params: { path: { id: subject } } }))).service;
  const { error, data } = await api.GET("/api/runs/{id}", { params: { path: { id: subject } } });
  if (error || !data) return subject;
  const service = /^component:default\/(.+)$/.exec(data.about)?.[1];
  if (service !== undefined && /^deliver|^roll/.test(data.workflow)) return service;
  throw new Fault(
    "invalid",
    "cli.retry",
    `A run of "${data.workflow}" is not tried once more by itself`,
    data.error?.next || "Do again what began it; cairn why tells what that is.",
  );
}
