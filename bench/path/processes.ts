import { readdirSync, readFileSync } from "node:fs";

/** A process and all that it started. */
export function tree(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    const parent = Number(/^\d+$/.test(name) ? fieldsOf(Number(name))[1] : undefined);
    if (parent) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found = [pid];
  for (const each of found) found.push(...(children.get(each) ?? []));
  return found;
}

/** Seconds of processor that a process has had, in user and system. The kernel counts in hundredths. */
export function processorSeconds(pid: number): number {
  const fields = fieldsOf(pid);
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** After the command's name: state, parent, ... (proc_pid_stat(5), from field 3 on). */
function fieldsOf(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return []; // it has ended
  }
}

export interface Memory {
  /** Kilobytes of its own: what it allocated, and its share of memory that it shares with its siblings (PostgreSQL's buffers). */
  ownKb: number;
  /** Kilobytes that lie in memory of each file that it maps: programs and libraries. */
  filesKb: Map<string, number>;
  rssKb: number;
}

/** Memory as the kernel counts it by mapping. Source: proc_pid_smaps(5). */
export function memoryOf(pid: number): Memory {
  const found: Memory = { ownKb: 0, filesKb: new Map(), rssKb: 0 };
  let file = "";
  let rss = 0;
  let anonymous = 0;
  let smaps = "";
  try {
    smaps = readFileSync(`/proc/${pid}/smaps`, "latin1");
  } catch {
    return found; // it has ended
  }
  for (const line of smaps.split("\n")) {
    const header = /^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+\s*(.*)$/.exec(line);
    if (header) {
      file = isProgram(header[1] ?? "") ? (header[1] ?? "") : "";
      continue;
    }
    const [, name, kb] = /^(\w+):\s+(\d+) kB$/.exec(line) ?? [];
    const amount = Number(kb);
    if (name === "Rss") found.rssKb += rss = amount;
    else if (name === "Pss" && file === "") found.ownKb += amount;
    else if (name === "Anonymous" && file !== "") {
      anonymous = amount; // written pages of a file's mapping are the process's own
      found.ownKb += anonymous;
      found.filesKb.set(file, (found.filesKb.get(file) ?? 0) + rss - anonymous);
    }
  }
  return found;
}

/** Shared memory has a name too, but belongs to nobody but the processes that share it. */
const isProgram = (path: string): boolean => path.startsWith("/") && !/^\/(dev|SYSV|memfd)/.test(path);
