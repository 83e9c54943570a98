import { expect, test } from "vitest";
import { readConfig } from "./config.ts";
import { newId } from "./ids.ts";

test.each(["0", "65536", "http", "80.5"])("readConfig() refuses the port %s and says what is wanted", (port) => {
  expect(() => readConfig({ HOME: "/home/example", CAIRN_PORT: port })).toThrow(
    expect.objectContaining({ code: "config.port", next: expect.stringContaining("1 to 65535") }),
  );
});

test("readConfig() refuses an administrator's token that could be guessed", () => {
  expect(() => readConfig({ CAIRN_ADMIN_TOKEN: "secret" })).toThrow(expect.objectContaining({ code: "config.admin_token" }));
});

test("readConfig() finds the home by CAIRN_HOME, then XDG", () => {
  expect(readConfig({ CAIRN_HOME: "/srv/cairn", XDG_DATA_HOME: "/data" }).home).toBe("/srv/cairn");
  expect(readConfig({ XDG_DATA_HOME: "/data" })).toMatchObject({ home: "/data/cairn", port: 7070, databaseUrl: undefined });
});

test("newId() gives ids that sort by birth and are never the same", () => {
  const at = (milliseconds: number) => newId("rel", { now: () => new Date(milliseconds) });
  const ids = [at(1), at(2), at(1_700_000_000_000), at(1_800_000_000_000)];
  expect(ids).toEqual(ids.toSorted());
  expect(at(5)).not.toBe(at(5));
  expect(at(5)).toMatch(/^rel_[0-9a-hjkmnp-tv-z]{26}$/);
});
