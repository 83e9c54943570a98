import { createHash } from "node:crypto";
import { chmod, lstat, mkdir, open, readFile, link, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { places } from "@cairn/platform/kernel/config.ts";
import { newSecret } from "@cairn/platform/kernel/ids.ts";
import { folderNotOurs } from "./faults.ts";

const uid = (): number => process.getuid?.() ?? 0;
export const shortHash = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 12);

export interface AgentPlaces {
  /** Unix socket of the control server; its folder is private to the user. */
  socket: string;
  token: string;
  journal: string;
  /** The platform's public key, as it was first seen. */
  trustedKey: string;
  /** What the agent itself says. */
  log: string;
  postgresLog: string;
  /** Logs of services, a folder a target. */
  serviceLogs: string;
  compileCache: string;
  /** The command of the agent that is to follow this one: left by a version that lies elsewhere. */
  next: string;
}

/** Where the agent of a home keeps its things. A socket's path has at most about 107 bytes: a long home gets a short stand-in for it. */
export function agentPlaces(home: string): AgentPlaces {
  const { agent, logs } = places(home);
  const near = join(agent, "control.sock");
  const socket = Buffer.byteLength(near) <= 100 ? near : join("/tmp", `cairn-${uid()}-${shortHash(home)}`, "control.sock");
  return {
    socket,
    token: join(agent, "token"),
    journal: join(agent, "journal.json"),
    trustedKey: join(agent, "platform.pub"),
    log: join(logs, "agent.log"),
    postgresLog: join(logs, "postgres.log"),
    serviceLogs: join(logs, "services"),
    compileCache: join(agent, "compile-cache"),
    next: join(agent, "next.json"),
  };
}

/** What of a home may lie outside of it: data that other users must reach below /var/lib, sockets below /tmp where the home's path is long. */
export function placesElsewhere(home: string): string[] {
  const { services, postgres } = places(home);
  const data = [services, postgres].map((wanted) => join("/var/lib/cairn", shortHash(wanted)));
  return [
    ...data,
    dirname(agentPlaces(home).socket),
    ...[postgres, ...data].map((folder) => join("/tmp", `cairn-pg-${shortHash(folder)}`)),
  ].filter((folder) => !folder.startsWith(`${home}/`));
}

/** Takes the command that the next agent is to be started by, where one was left for it: by whoever may write in the agent's own folder. */
export async function nextCommand(home: string): Promise<string[] | undefined> {
  const file = agentPlaces(home).next;
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  await rm(file, { force: true });
  return JSON.parse(text) as string[];
}

/** A name that one process at a time can hold, and that the kernel frees however that process ends: an abstract Unix socket. */
export const lockName = (home: string): string => `\0cairn-agent-${uid()}-${shortHash(home)}`;

/** Makes a folder that nobody else can look into. Throws `agent.folder_not_ours` where somebody was first. */
export async function privateFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const found = await lstat(folder);
  if (!found.isDirectory() || found.uid !== uid()) throw folderNotOurs(folder);
  if ((found.mode & 0o077) !== 0) await chmod(folder, 0o700);
}

/** The token of the control socket, made at the first call. */
export async function controlToken(home: string): Promise<string> {
  const file = agentPlaces(home).token;
  const known = await readFile(file, "utf8").catch(() => "");
  if (known) return known;
  const temporary = `${file}.${process.pid}`;
  const handle = await open(temporary, "w", 0o600);
  await handle.writeFile(newSecret());
  await handle.sync().finally(() => handle.close());
  await link(temporary, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
  await rm(temporary, { force: true });
  return readFile(file, "utf8");
}
