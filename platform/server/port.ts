import { readdir, readFile, readlink } from "node:fs/promises";
import { Fault } from "../kernel/faults.ts";

/** Who listens on a TCP port of this machine, as far as /proc tells: `node (process 4711)`; undefined where it doesn't. */
export async function holderOf(port: number): Promise<string | undefined> {
  const wanted = port.toString(16).toUpperCase().padStart(4, "0");
  const tables = await Promise.all(["/proc/net/tcp", "/proc/net/tcp6"].map((path) => readFile(path, "utf8").catch(() => "")));
  const sockets = new Set(
    tables
      .flatMap((table) => table.split("\n").slice(1))
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[1]?.endsWith(`:${wanted}`) && fields[3] === "0A")
      .map((fields) => `socket:[${fields[9]}]`),
  );
  if (sockets.size === 0) return undefined;
  for (const pid of (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name))) {
    const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
    for (const descriptor of descriptors)
      if (sockets.has(await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => "")))
        return `${(await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "a process")).trim()} (process ${pid})`;
  }
  return "a process of another user";
}

export const portTaken = (port: number, holder: string | undefined) =>
  new Fault(
    "conflict",
    "server.port_taken",
    `Port ${port} is taken${holder ? ` by ${holder}` : ""}`,
    `Stop what holds it, or choose another: CAIRN_PORT=${port + 1} npm start`,
    { port, holder },
  );
