import type { Command } from "commander";
import { answer, type Answered } from "@cairn/api";
import { Fault } from "@cairn/platform/kernel/faults.ts";
import { tell } from "../answer.ts";
import { ago, status, table } from "../print.ts";
import { session, type Session } from "../session.ts";
import { ran } from "./create.ts";

export function secretCommands(program: Command): void {
  const secrets = program.command("secrets").description("values that a service needs and nobody may read");
  secrets
    .command("set <service> <name>")
    .description("set a secret: the value is read from standard input, or asked for; never from the command line")
    .option("-e, --environment <environment>", "dev, staging or production; without it all of them")
    .option("--deliver", "deliver what was merged last once more, so that it is used")
    .action(async (service: string, name: string, options: { environment?: string; deliver?: boolean }, command: Command) => {
      const here = await session(process.env);
      const value = await readValue(`Value of ${name}: `);
      const set = await answer(
        here.api.PUT("/api/services/{name}/secrets/{secret}", {
          params: { path: { name: service, secret: name } },
          body: { value, ...(options.environment && { environment: options.environment }) },
        }),
      );
      const run = options.deliver ? await deliver(here, service, `the secret ${name} was set`) : undefined;
      tell(command, { ...set, ...(run && { run }) }, ({ secrets }) =>
        [
          `${name} is set for ${secrets.map(({ environment }) => environment).join(", ")}.`,
          ...whatNow(service, name, secrets),
          ...(run ? [`Delivering: cairn runs show ${run} -w`] : []),
        ].join("\n"),
      );
    });
  secrets
    .command("list <service>", { isDefault: true })
    .description("names, who set them and when; never values")
    .action(async (service: string, _options, command: Command) => {
      const { api } = await session(process.env);
      tell(command, await answer(api.GET("/api/services/{name}/secrets", { params: { path: { name: service } } })), ({ secrets }) =>
        table(
          secrets,
          [
            { title: "SECRET", value: (row) => row.name },
            { title: "ENVIRONMENT", value: (row) => row.environment },
            { title: "USED", value: (row) => USE[row.use] },
            { title: "SET BY", value: (row) => row.setBy },
            { title: "SET", value: (row) => ago(row.setAt, new Date()) },
          ],
          `No secret. Set one: cairn secrets set ${service} NAME`,
        ),
      );
    });
  secrets
    .command("unset <service> <name>")
    .description("take a secret away from the releases to come")
    .option("-e, --environment <environment>", "dev, staging or production; without it all of them")
    .action(async (service: string, name: string, options: { environment?: string }, command: Command) => {
      const { api } = await session(process.env);
      const params = {
        path: { name: service, secret: name },
        query: { ...(options.environment && { environment: options.environment }) },
      };
      await answer(api.DELETE("/api/services/{name}/secrets/{secret}", { params }));
      tell(command, { unset: name }, () => `${name} is unset. What runs with it keeps it until the next release.`);
    });
  program
    .command("deliver <service>")
    .description("deliver what was merged last once more, with the secrets and rules of now")
    .option("-b, --because <reason>", "kept in the ledger", "asked by hand")
    .option("-w, --watch", "until it has ended")
    .action(async (service: string, options: { because: string; watch?: boolean }, command: Command) => {
      const here = await session(process.env);
      const run = await deliver(here, service, options.because);
      if (options.watch) return ran(here, run, command, `${service} is delivered.`);
      tell(command, { run }, () => `Delivering: cairn runs show ${run} -w`);
    });
}

type Secrets = Answered<"setSecret">["secrets"];

const USE: Record<Secrets[number]["use"], string> = { current: status("running"), older: status("stale"), unused: "not yet" };

function whatNow(service: string, name: string, secrets: Secrets): string[] {
  const older = secrets.filter(({ use }) => use === "older").map(({ environment }) => environment);
  if (older.length > 0) return [`${older.join(", ")} runs on with the value from before. Release it: cairn deliver ${service}`];
  return [`score.yaml takes it in with a resource of type secret: \${resources.RESOURCE.${name}}. It is given from the next release on.`];
}

const deliver = async ({ api }: Session, service: string, because: string): Promise<string> =>
  (await answer(api.POST("/api/services/{name}/deliver", { params: { path: { name: service } }, body: { because } }))).run;

/** All of standard input but one line end at its end; at a terminal one line, which is not shown. */
async function readValue(prompt: string): Promise<string> {
  const value = process.stdin.isTTY ? await ask(prompt) : await readAll();
  if (value !== "") return value;
  throw new Fault("invalid", "cli.no_value", "There is no value", "Type it when asked, or pipe it: printf %s VALUE | cairn secrets set …");
}

async function readAll(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes).replace(/\r?\n$/, "");
  } catch {
    throw new Fault("invalid", "cli.value_not_text", "The value is no text in UTF-8", "Encode it first, in base64 for instance.");
  }
}

function ask(prompt: string): Promise<string> {
  const { stdin } = process;
  process.stderr.write(prompt);
  stdin.setRawMode(true);
  stdin.setEncoding("utf8");
  return new Promise((resolve, reject) => {
    let typed = "";
    const end = (settle: () => void) => {
      stdin.setRawMode(false);
      stdin.pause();
      stdin.removeListener("data", take);
      process.stderr.write("\n");
      settle();
    };
    const take = (text: string) => {
      for (const key of text) {
        if (key === "\r" || key === "\n") return end(() => resolve(typed));
        if (key === "\u0003" || key === "\u0004")
          return end(() => reject(new Fault("invalid", "cli.no_value", "There is no value", "Nothing was changed.")));
        typed = key === "\u007f" || key === "\b" ? typed.slice(0, -1) : typed + key;
      }
    };
    stdin.on("data", take);
  });
}
