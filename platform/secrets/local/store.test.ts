import { mkdtemp, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { openSecretStore } from "./store.ts";

const homes: string[] = [];
const aHome = async () => {
  const home = await mkdtemp(join(tmpdir(), "cairn-secrets-"));
  homes.push(home);
  return home;
};
afterEach(async () => {
  for (const home of homes.splice(0)) await rm(home, { recursive: true, force: true });
});
const aRef = (overrides = {}) => ({ service: "orders", environment: "dev", name: "db", key: "password", ...overrides });
const filesOf = async (home: string) =>
  (await readdir(home, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

test("reveal() refuses a missing secret, and every name that could leave the folder", async () => {
  const store = openSecretStore(await aHome());
  await expect(store.reveal(aRef())).rejects.toMatchObject({ code: "secrets.missing" });
  for (const bad of ["..", ".", "", "a/b", ".hidden", "a\0b", "x".repeat(201)])
    for (const part of ["service", "environment", "name", "key"])
      await expect(store.set(aRef({ [part]: bad }), "value")).rejects.toMatchObject({ code: "secrets.name_invalid" });
});

test("set() gives back what was set, over a second opening, and its bytes stand in no file", async () => {
  const home = await aHome();
  await openSecretStore(home).set(aRef(), "correct horse ü");
  expect(await openSecretStore(home).reveal(aRef())).toBe("correct horse ü");
  for (const file of await filesOf(home)) {
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await readFile(file)).includes("correct horse")).toBe(false);
  }
});

test("set() with onlyIfMissing lets one of many at once win, and leaves an existing value", async () => {
  const home = await aHome();
  const written = await Promise.all(
    Array.from({ length: 20 }, (_, n) => openSecretStore(home).set(aRef(), `value ${n}`, { onlyIfMissing: true })),
  );
  expect(written.filter(Boolean)).toHaveLength(1);
  expect(await openSecretStore(home).reveal(aRef())).toBe(`value ${written.indexOf(true)}`);
  expect((await filesOf(home)).filter((file) => file.includes("/."))).toEqual([]);
});

test("reveal() refuses a file that was moved to another reference, and another key", async () => {
  const home = await aHome();
  const store = openSecretStore(home);
  await store.set(aRef({ environment: "dev" }), "for dev");
  await store.set(aRef({ environment: "production" }), "for production");
  await rename(join(home, "secrets/orders/dev/db/password"), join(home, "secrets/orders/production/db/password"));
  await expect(store.reveal(aRef({ environment: "production" }))).rejects.toMatchObject({ code: "secrets.unreadable" });
  await rm(join(home, "keys/secrets.key"));
  await expect(openSecretStore(home).set(aRef(), "x")).rejects.toMatchObject({ code: "secrets.key_missing" });
});

test("list() gives references of one target, and remove() takes one secret or all", async () => {
  const store = openSecretStore(await aHome());
  for (const name of ["db", "cache"]) for (const key of ["user", "password"]) await store.set(aRef({ name, key }), "value");
  await store.set(aRef({ environment: "production" }), "value");
  expect(await store.list(aRef())).toHaveLength(4);
  await store.remove({ service: "orders", environment: "dev", name: "db" });
  expect(await store.list(aRef())).toEqual([aRef({ name: "cache", key: "password" }), aRef({ name: "cache", key: "user" })]);
  await store.remove({ service: "orders", environment: "dev" });
  await store.remove({ service: "orders", environment: "dev" });
  expect(await store.list(aRef())).toEqual([]);
  expect(await store.list(aRef({ environment: "production" }))).toHaveLength(1);
});
