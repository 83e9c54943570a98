import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { link, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { places } from "../../kernel/config.ts";
import type { SecretRef, SecretStore } from "../contract.ts";
import { keyMissing, secretMissing, secretNameInvalid, secretUnreadable } from "../faults.ts";

/**
 * Secrets as files below `home`/secrets, one a value: service/environment/name/key. Each is sealed with AES-256-GCM under a key of its own file in
 * `home`/keys and bound to its reference, so that one file can't be put in the place of another. Several processes may use one home at once.
 */
export function openSecretStore(home: string): SecretStore {
  const root = places(home).secrets;
  let loading: Promise<Buffer> | undefined;
  const key = () => (loading ??= loadKey(home).catch((error) => ((loading = undefined), Promise.reject(error))));
  const fileOf = (ref: SecretRef) => join(folderOf(root, ref), checked("name", ref.name), checked("key", ref.key));

  return {
    async set(ref, value, options) {
      const file = fileOf(ref);
      const sealed = seal(await key(), ref, value);
      await mkdir(join(file, ".."), { recursive: true, mode: 0o700 });
      return options?.onlyIfMissing ? writeNew(file, sealed) : replace(file, sealed);
    },
    async reveal(ref) {
      const sealed = await readFile(fileOf(ref)).catch(nothing);
      if (!sealed) throw secretMissing(ref);
      return unseal(await key(), ref, sealed);
    },
    async list(target) {
      const folder = folderOf(root, target);
      const found = await Promise.all(
        (await names(folder)).map(async (name) => (await names(join(folder, name))).map((key) => ({ ...pick(target), name, key }))),
      );
      return found.flat();
    },
    async remove(ref) {
      const folder = folderOf(root, ref);
      const below = ref.name === undefined ? [] : [checked("name", ref.name), ...(ref.key === undefined ? [] : [checked("key", ref.key)])];
      await rm(join(folder, ...below), { recursive: true, force: true });
    },
  };
}

const pick = ({ service, environment }: { service: string; environment: string }) => ({ service, environment });

const folderOf = (root: string, target: { service: string; environment: string }): string =>
  join(root, checked("service", target.service), checked("environment", target.environment));

/** A part of a path. A leading dot is refused too: temporary files have one. */
function checked(part: string, value: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/.test(value)) throw secretNameInvalid(part, value);
  return value;
}

async function loadKey(home: string): Promise<Buffer> {
  const file = join(places(home).keys, "secrets.key");
  const known = await readFile(file).catch(nothing);
  if (known?.length === 32) return known;
  if (known || (await names(places(home).secrets)).length > 0) throw keyMissing(file);
  await mkdir(places(home).keys, { recursive: true, mode: 0o700 });
  await writeNew(file, randomBytes(32)); // another process may be first: its key counts
  return readFile(file);
}

const referenceOf = (ref: SecretRef): Buffer => Buffer.from([ref.service, ref.environment, ref.name, ref.key].join("\0"));

/** Version 1, 12 bytes of nonce, 16 of tag, the sealed value. */
function seal(key: Buffer, ref: SecretRef, value: string): Buffer {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(referenceOf(ref));
  const body = Buffer.concat([cipher.update(value, "utf8"), cipher.final()]);
  return Buffer.concat([Buffer.from([1]), nonce, cipher.getAuthTag(), body]);
}

function unseal(key: Buffer, ref: SecretRef, sealed: Buffer): string {
  try {
    if (sealed[0] !== 1) throw new Error("unknown version");
    const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(1, 13), { authTagLength: 16 });
    decipher.setAAD(referenceOf(ref)).setAuthTag(sealed.subarray(13, 29));
    return Buffer.concat([decipher.update(sealed.subarray(29)), decipher.final()]).toString("utf8");
  } catch {
    throw secretUnreadable(ref);
  }
}

/** Writes beside the file first, durably; then one atomic step makes it the file. */
async function writeBeside(file: string, content: Buffer): Promise<string> {
  const temporary = join(file, "..", `.${randomBytes(8).toString("hex")}`);
  const handle = await open(temporary, "wx", 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return temporary;
}

async function replace(file: string, content: Buffer): Promise<true> {
  await rename(await writeBeside(file, content), file);
  await syncFolder(file);
  return true;
}

/** Gives false where the file exists: the file system decides who was first. */
async function writeNew(file: string, content: Buffer): Promise<boolean> {
  const temporary = await writeBeside(file, content);
  try {
    await link(temporary, file);
    await syncFolder(file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

async function syncFolder(file: string): Promise<void> {
  const folder = await open(join(file, ".."), "r");
  await folder.sync().finally(() => folder.close());
}

const names = async (folder: string): Promise<string[]> =>
  ((await readdir(folder).catch(nothing)) ?? []).filter((name) => !name.startsWith(".")).sort();

function nothing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
  return undefined;
}
