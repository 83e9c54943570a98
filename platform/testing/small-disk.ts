import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../kernel/processes.ts";

export interface SmallDisk {
  folder: string;
  /** Makes it so large; what lies on it stays. */
  resize(sizeBytes: number): Promise<void>;
  remove(): Promise<void>;
}

/** A file system of its own of that size; undefined where this process may not mount one, which a test says when it skips. */
export async function smallDisk(sizeBytes: number): Promise<SmallDisk | undefined> {
  const folder = await mkdtemp(join(tmpdir(), "cairn-small-disk-"));
  const mount = async (options: string) =>
    run("mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder], { env: process.env })
      .then(({ code }) => code === 0)
      .catch(() => false);
  if (!(await mount(`size=${sizeBytes},mode=0755`))) {
    await rm(folder, { recursive: true, force: true });
    return undefined;
  }
  return {
    folder,
    async resize(bytes) {
      if (!(await mount(`remount,size=${bytes}`))) throw new Error(`${folder} can't be made ${bytes} bytes large`);
    },
    async remove() {
      const { code, stderr } = await run("umount", [folder], { env: process.env });
      if (code !== 0) throw new Error(`${folder} can't be unmounted: ${stderr.toString()}`);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export const CANNOT_MOUNT = "skipped: a small file system can be mounted by root alone";
