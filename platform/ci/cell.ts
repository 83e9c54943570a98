import { readdir, readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { z } from "zod";
import { run } from "../kernel/processes.ts";

/**
 * What keeps the commands of a build away from the platform. `user`: they run under a user number of their own, and the kernel refuses them what belongs to others. `bubblewrap` and `namespace`: they see their own processes
 * only, empty folders in place of `hidden`, and `readOnly` without the right to write. `none`: nothing does.
 */
export const Cell = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("none") }),
  z.object({ kind: z.literal("user"), user: z.number(), processes: z.number() }),
  z.object({
    kind: z.enum(["bubblewrap", "namespace"]),
    /** May lie in a hidden folder: it stays where it is, and may be written. */
    work: z.string(),
    hidden: z.array(z.string()),
    readOnly: z.array(z.string()),
    processes: z.number(),
  }),
]);
export type Cell = z.infer<typeof Cell>;

// bash says -u, dash and busybox say -p.
const LIMITED = '{ ulimit -u "$1" || ulimit -p "$1"; } 2>/dev/null; exec sh -c "$2"';

// Folders are covered with empty file systems from inside a mount namespace; the work folder is held open meanwhile and put back. The command gets user and mount rights of an inner
// user namespace: those that could take a cover away are left with the outer one. Its first process waits outside the command, so that the command is not the one that must reap.
const NAMESPACE = `
set -e
work=$1 user=$2 group=$3 processes=$4 command=$5 readonly=$6
folder=$PWD
shift 6
exec 9<"$work"
for name; do
  if [ "$readonly" -gt 0 ]; then
    readonly=$((readonly - 1))
    mount --bind "$name" "$name"
    mount -o remount,bind,ro "$name" 2>/dev/null || mount -o remount,bind,ro,nosuid,nodev "$name"
  else
    mount -t tmpfs -o mode=755,size=64k cairn "$name"
  fi
done
mkdir -p "$work"
mount --no-canonicalize --bind /proc/self/fd/9 "$work"
exec 9<&-
cd "$folder"
set +e
unshare --user --map-user="$user" --map-group="$group" sh -c '${LIMITED.replaceAll("'", `'"'"'`)}' sh "$processes" "$command"
exit $?`;

/** How a command of a build is started in its cell: program, arguments and user. */
export function startIn(cell: Cell, command: string, folder: string): { program: string; args: string[]; uid?: number; gid?: number } {
  switch (cell.kind) {
    case "none":
      return { program: "sh", args: ["-c", command] };
    case "user":
      return { program: "sh", args: ["-c", LIMITED, "sh", String(cell.processes), command], uid: cell.user, gid: cell.user };
    case "bubblewrap":
      return {
        program: "bwrap",
        args: ["--dev-bind", "/", "/", "--proc", "/proc"].concat(
          cell.readOnly.flatMap((path) => ["--ro-bind", path, path]),
          cell.hidden.flatMap((path) => ["--tmpfs", path]),
          ["--bind", cell.work, cell.work, "--chdir", folder],
          ["--unshare-user", "--unshare-pid", "--unshare-ipc", "--die-with-parent"],
          ["sh", "-c", LIMITED, "sh", String(cell.processes), command],
        ),
      };
    case "namespace": {
      const own = ["--user", "--map-root-user", "--mount", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc"];
      const ids = [String(process.getuid?.() ?? 0), String(process.getgid?.() ?? 0)];
      const folders = [String(cell.readOnly.length), ...cell.readOnly, ...cell.hidden];
      return {
        program: "unshare",
        args: [...own, "sh", "-c", NAMESPACE, "sh", cell.work, ...ids, String(cell.processes), command, ...folders],
      };
    }
  }
}

/**
 * Ends everything that runs in a cell with a user number of its own, however it got away: one signal to all of that user, so that nothing can fork past it. The other kinds end with their first process.
 * Throws when something is still there after that.
 */
export async function emptyCell(cell: Cell): Promise<void> {
  if (cell.kind !== "user") return;
  for (let look = 0; look < 500; look++) {
    if (!(await hasProcesses(cell.user))) return;
    await run("sh", ["-c", "kill -KILL -1"], { env: { PATH: process.env.PATH }, uid: cell.user, gid: cell.user });
    await setTimeout(Math.min(100, 5 * look));
  }
  throw new Error(`processes of user ${cell.user} do not end`);
}

/** Ended ones that nobody has waited for yet do not count. */
async function hasProcesses(user: number): Promise<boolean> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const statuses = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/status`, "utf8").catch(() => "")));
  return statuses.some((status) => new RegExp(`^Uid:\t${user}\t`, "m").test(status) && !/^State:\t[ZX]/m.test(status));
}
