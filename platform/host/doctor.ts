import { lstat, statfs } from "node:fs/promises";
import { availableParallelism, freemem, totalmem } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { connectAgent } from "@cairn/agent/client.ts";
import { places, type Config } from "../kernel/config.ts";
import { isFault, messageOf } from "../kernel/faults.ts";
import { run } from "../kernel/processes.ts";
import { openDatabase } from "../kernel/sql.ts";
import { embeddedDatabase } from "../server/database.ts";
import { holderOf } from "../server/port.ts";
import { runningServer } from "../server/record.ts";
import { lostHomes } from "./lost-homes.ts";

/** One thing looked at. `next` says what to do about it where it is not well. */
export interface Finding {
  what: string;
  state: "well" | "warned" | "failed";
  detail: string;
  next: string;
}

const GIT = [2, 38] as const;
const NODE = 24;
/** Below it PostgreSQL and builds fail in ways that are hard to read. */
const FREE_DISK_BYTES = 1024 ** 3;
const FREE_MEMORY_BYTES = 256 * 1024 ** 2;
const CLOCKS_APART_SECONDS = 5;

type Look = () => Promise<Omit<Finding, "what" | "next"> & { next?: string }>;

/** Looks at all that the platform stands on, on this machine. Changes nothing; what can't be looked at is a finding too. */
export async function examineHost(config: Config, now: () => Date): Promise<Finding[]> {
  const looks: [string, Look][] = [
    ["git", git],
    ["Node", async () => node(process.versions.node)],
    ["Data folder", () => home(config)],
    ["Disk", () => disk(config)],
    ["Memory", async () => memory()],
    ["Keys", () => keys(config)],
    ["Agent", () => agent(config)],
    ["Database", () => database(config, now)],
    ["Server", () => server(config)],
    ["Package cache", () => cache(config)],
    ["Left behind", leftBehind],
  ];
  const findings: Finding[] = [];
  for (const [what, look] of looks) {
    const found = await look().catch((error: unknown) => ({
      state: "failed" as const,
      detail: messageOf(error),
      next: isFault(error) ? error.next : "",
    }));
    findings.push({ what, next: "", ...found });
  }
  return findings;
}

async function git() {
  const { stdout } = await run("git", ["version"], { env: process.env, timeoutSeconds: 10 });
  const version = /(\d+)\.(\d+)\S*/.exec(stdout.toString());
  const [major, minor] = [Number(version?.[1] ?? 0), Number(version?.[2] ?? 0)];
  const recent = major > GIT[0] || (major === GIT[0] && minor >= GIT[1]);
  return recent
    ? well(`git ${version?.[0]}`)
    : failed(
        `git ${version?.[0] ?? "of unknown version"}`,
        `Install git ${GIT.join(".")} or newer: change requests are merged by git merge-tree.`,
      );
}

const node = (version: string) =>
  Number(version.split(".")[0]) >= NODE
    ? well(`Node ${version}, ${availableParallelism()} processors`)
    : failed(`Node ${version}`, "Start Cairn by ./cairn or npm: they use the Node that the checkout pins.");

async function home({ home: folder }: Config) {
  const found = await lstat(folder).catch(() => undefined);
  if (!found) return warned(`${folder} is not there yet`, "cairn start makes it.");
  if (!found.isDirectory()) return failed(`${folder} is no folder`, "Name another in CAIRN_HOME.");
  if (process.getuid && found.uid !== process.getuid())
    return failed(`${folder} belongs to another user (${found.uid})`, "Run as that user, or name another folder in CAIRN_HOME.");
  if ((found.mode & 0o077) !== 0) return warned(`others may look into ${folder}`, `chmod 700 ${folder}`);
  return well(folder);
}

async function disk({ home: folder }: Config) {
  const { bavail, bsize } = await statfs(folder).catch(() => statfs("/"));
  const free = bavail * bsize;
  const text = `${(free / 1024 ** 3).toFixed(1)} GiB free`;
  return free >= FREE_DISK_BYTES ? well(text) : failed(text, `Make room where ${folder} lies: at least 1 GiB.`);
}

function memory() {
  const text = `${Math.round(freemem() / 1024 ** 2)} of ${Math.round(totalmem() / 1024 ** 2)} MiB free`;
  return freemem() >= FREE_MEMORY_BYTES
    ? well(text)
    : warned(text, "Stop something, or run fewer services: cairn status shows what each takes.");
}

/** Private keys must be readable by their owner alone. */
async function keys({ home: folder }: Config) {
  const loose: string[] = [];
  for (const name of [places(folder).keys, places(folder).secrets]) {
    const found = await lstat(name).catch(() => undefined);
    if (found && (found.mode & 0o077) !== 0) loose.push(name);
  }
  return loose.length > 0
    ? failed(`others may look into ${loose.join(", ")}`, `chmod -R go= ${loose.join(" ")}`)
    : well("private to their owner");
}

async function agent(config: Config) {
  const client = await connectAgent(config.home).catch((error: unknown) => {
    if (isFault(error) && error.code === "agent.not_running") return undefined;
    throw error;
  });
  if (!client)
    return failed(
      "not running: no service answers",
      (await runningServer(config.home)) ? "The server starts it again: see below what it says." : "cairn start",
    );
  const { pid, keeperPid, postgres, targets } = await client.status();
  const troubled = targets.filter((target) => target.problem !== null);
  if (troubled.length > 0)
    return failed(
      troubled.map(({ target, problem }) => `${target.service} in ${target.environment}: ${problem}`).join("; "),
      "cairn status shows the addresses.",
    );
  if (keeperPid === null)
    return warned(`process ${pid}, without its keeper: a crash would refuse connections`, "cairn stop --all, then cairn start.");
  if (postgres.state !== "running" && postgres.state !== "not_owned")
    return failed(
      `PostgreSQL is ${postgres.state}: ${postgres.because ?? "no reason known"}`,
      `See ${join(places(config.home).logs, "postgres.log")}.`,
    );
  return well(`process ${pid}, kept by ${keeperPid}, ${targets.length} addresses`);
}

async function database(config: Config, now: () => Date) {
  const url = config.databaseUrl ?? (await embeddedDatabase((await (await connectAgent(config.home)).postgres()).url));
  const db = openDatabase(url, { maxConnections: 1 });
  try {
    const { rows } = await sql<{ version: string; now: Date }>`select current_setting('server_version') as version, now() as now`.execute(
      db,
    );
    const { version = "0", now: there = now() } = rows[0] ?? {};
    if (Number.parseInt(version, 10) < 15) return failed(`PostgreSQL ${version}`, "Cairn needs PostgreSQL 15 or newer.");
    const apart = Math.abs(there.getTime() - now().getTime()) / 1000;
    if (apart > CLOCKS_APART_SECONDS)
      return warned(
        `its clock and this machine's are ${Math.round(apart)} s apart`,
        "Set both by NTP: ages of evidence and windows are reckoned by this machine's.",
      );
    return well(`PostgreSQL ${version}${config.databaseUrl ? ", not the embedded one" : ""}`);
  } finally {
    await db.destroy();
  }
}

async function server(config: Config) {
  const running = await runningServer(config.home);
  if (!running) {
    const holder = await holderOf(config.port);
    return holder
      ? failed(`not running, and port ${config.port} is taken by ${holder}`, "Free the port, or set CAIRN_PORT.")
      : failed("not running", "cairn start");
  }
  const response = await fetch(`${running.url}/readyz`, { signal: AbortSignal.timeout(10_000) });
  const { parts } = (await response.json()) as { parts: Record<string, string> };
  const wrong = Object.entries(parts).filter(([, state]) => state !== "ok");
  return response.ok
    ? well(`ready at ${running.url} (process ${running.pid})`)
    : failed(wrong.map(([part, state]) => `${part}: ${state}`).join("; "), `See ${join(places(config.home).logs, "server.log")}.`);
}

/** Builds of the golden paths install from it where there is no network. */
async function cache({ home: folder }: Config) {
  const warm = await lstat(join(places(folder).npmCache, ".warmed")).catch(() => undefined);
  return warm
    ? well("filled: builds need no network for what it holds")
    : warned("empty: builds need the package registry", "npm start fills it where there is a network.");
}

/** What a home that was removed by hand, in place of by cairn uninstall, has left in /var/lib. */
async function leftBehind() {
  const lost = await lostHomes();
  if (lost.length === 0) return well("nothing by homes that are gone");
  return warned(
    lost.map(({ home: gone, folders }) => `${gone} is gone, and left ${folders.join(", ")}`).join("; "),
    `If it is not only unmounted, and nothing of it runs any more: rm -rf ${lost.flatMap(({ folders }) => folders).join(" ")}`,
  );
}

const well = (detail: string) => ({ state: "well" as const, detail });
const warned = (detail: string, next: string) => ({ state: "warned" as const, detail, next });
const failed = (detail: string, next: string) => ({ state: "failed" as const, detail, next });
