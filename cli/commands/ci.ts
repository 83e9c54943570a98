import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { tell, wantsJson } from "../answer.ts";
import { ago, dim, short, status } from "../print.ts";
import { pulledBundle } from "../pulled.ts";
import { ruleText } from "../rules.ts";
import { Fault } from "@cairn/platform/kernel/faults.ts";
import type { BuildEvent, PolicyCheck } from "@cairn/platform/offline.ts";

const offline = () => import("@cairn/platform/offline.ts");

/** What needs no server: the same code as the platform's own runner. */
export function ciCommands(program: Command): void {
  program
    .command("ci")
    .description("build, test and pack what cairn.yaml declares, as the platform's CI does")
    .option("--out <folder>", "where artifact, reports and result go", ".cairn-ci")
    .argument("[folder]", "the checkout", ".")
    .action(async (folder: string, options: { out: string }, command: Command) => {
      const { cairnCi } = await offline();
      requireCheckout(folder);
      const out = resolve(options.out);
      await mkdir(out, { recursive: true });
      // Commands of a build have process groups of their own: a Ctrl-C reaches them only through here.
      const interrupted = new AbortController();
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => interrupted.abort());
      const result = await cairnCi({
        folder: resolve(folder),
        out,
        onEvent: (event) => {
          if (wantsJson(command)) console.error(JSON.stringify(event));
          else if (event.type !== "ended") console.error(eventText(event));
        },
        signal: interrupted.signal,
      });
      tell(command, result, (ended) => `${status(ended.state)}  ${ended.because ?? ""}`);
      if (result.state !== "passed") process.exitCode = 1;
    });
  program
    .command("check")
    .description("check a checkout without a server: its files, and by the rules of cairn policies pull what policy will say of it")
    .option("--bundle <file>", "rules from another file than the one that was pulled last")
    .option("--digest <digest>", "refuse rules other than these")
    .argument("[folder]", "the checkout", ".")
    .action(async (folder: string, options: { bundle?: string; digest?: string }, command: Command) => {
      requireCheckout(folder);
      const { cairnCheck, offlinePolicy } = await offline();
      const { checkPolicy, readRuleBundle } = await offlinePolicy();
      const file = options.bundle ?? (await pulledBundle(process.env));
      if (file === undefined && options.digest !== undefined)
        throw new Fault("invalid", "cli.no_bundle", "There are no rules here", "Pull them first: cairn policies pull");
      const bundle = file === undefined ? undefined : await readRuleBundle(file, options.digest);
      const files = await cairnCheck(resolve(folder));
      const policy = await checkPolicy(folder, bundle, new Date());
      tell(command, { ...files, policy }, ({ problems }) =>
        [
          ...(problems.length === 0 ? [`${status("passed")}  files`] : problems.map((problem) => `${status("failed")}  ${problem}`)),
          policyText(policy),
        ].join("\n"),
      );
      // Unknown is not a pass.
      if (files.problems.length > 0 || policy.outcome === "deny" || policy.outcome === "unknown") process.exitCode = 1;
    });
}

/** In another folder nothing that is found would help anybody, and nothing is left there. */
function requireCheckout(folder: string): void {
  if (["cairn.yaml", "catalog-info.yaml"].some((name) => existsSync(join(folder, name)))) return;
  throw new Fault(
    "failed",
    "cli.no_checkout",
    `${resolve(folder)} is no checkout of a service: it holds neither cairn.yaml nor catalog-info.yaml`,
    "Go to one (cairn clone SERVICE makes it), or name its folder.",
  );
}

function policyText({ outcome, because, judgement, takenAt }: PolicyCheck): string {
  if (!judgement) return `${status(outcome)}  policy: ${because}`;
  const open = judgement.results.filter((result) => result.outcome !== "passed");
  const place = `${judgement.results.length} rules of ${short(judgement.bundle)}, taken ${takenAt ? ago(takenAt, new Date()) : "-"}`;
  return [
    `${status(outcome)}  policy: ${open.length === 0 ? "all hold" : `${open.length} do not hold`}, ${place}`,
    ...open.map(ruleText),
  ].join("\n");
}

const eventText = (event: Exclude<BuildEvent, { type: "ended" }>): string =>
  event.type === "line" ? `${dim(event.stage)}  ${event.text}` : `${status(event.stage.state)}  ${event.stage.name}`;
