import { appendFileSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RevisionLogs } from "./logs.ts";
import { readLogs, tailLogs } from "./read-logs.ts";

let root: string;
let made = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "cairn-logs-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));
const aFolder = () => join(root, String(++made));
const at = (second: number) => new Date(Date.UTC(2026, 2, 1, 12, 0, second));

test("readLogs() gives nothing for a folder that is not there", async () => {
  expect(await readLogs(join(root, "none"), { limit: 10 })).toEqual([]);
});

test("readLogs() gives each line the time of the poll that saw it, streams and revisions merged", async () => {
  const folder = aFolder();
  const [a, b] = [new RevisionLogs(join(folder, "a")), new RevisionLogs(join(folder, "b"))];
  appendFileSync(a.file("out"), "one\n");
  a.poll(at(1));
  appendFileSync(b.file("err"), "two\n");
  b.poll(at(2));
  appendFileSync(a.file("out"), "three\nfour without end");
  a.poll(at(3));
  a.note(at(4), "five");
  const lines = await readLogs(folder, { limit: 10 });
  expect(lines.map(({ at, revision, stream, line }) => [new Date(at).getUTCSeconds(), revision, stream, line])).toEqual([
    [1, "a", "out", "one"],
    [2, "b", "err", "two"],
    [3, "a", "out", "three"],
    [3, "a", "out", "four without end"],
    [4, "a", "agent", "five"],
  ]);
  expect((await readLogs(folder, { limit: 2 })).map(({ line }) => line)).toEqual(["four without end", "five"]);
  expect((await readLogs(folder, { limit: 10, revision: "b" })).map(({ line }) => line)).toEqual(["two"]);
  expect((await readLogs(folder, { limit: 10, after: at(3) })).map(({ line }) => line)).toEqual(["five"]);
  expect((await readLogs(folder, { limit: 1, mask: (line) => line.replace("five", "***") }))[0]?.line).toBe("***");
});

test("poll() rotates a log that has grown large, once, and readLogs() reads over the seam", async () => {
  const folder = aFolder();
  const logs = new RevisionLogs(join(folder, "a"));
  for (let n = 1; n <= 30; n++) {
    appendFileSync(logs.file("out"), `line ${n}\n`);
    logs.poll(at(n), 100);
  }
  const lines = await readLogs(folder, { limit: 15 });
  expect(lines.map(({ line }) => line)).toEqual(Array.from({ length: 15 }, (_, n) => `line ${n + 16}`));
  expect(lines.map(({ at: time }) => new Date(time).getUTCSeconds())).toEqual(Array.from({ length: 15 }, (_, n) => n + 16));
});

test("a new RevisionLogs over the files of another goes on where it was", async () => {
  const folder = aFolder();
  const file = join(folder, "a");
  const before = new RevisionLogs(file);
  appendFileSync(before.file("out"), "one\n");
  before.poll(at(1));
  const after = new RevisionLogs(file);
  after.poll(at(5));
  appendFileSync(after.file("out"), "two\n");
  after.poll(at(6));
  expect((await readLogs(folder, { limit: 10 })).map(({ at: time }) => new Date(time).getUTCSeconds())).toEqual([1, 6]);
});

test("hide() writes over what a service prints of its secrets: before and after, in halves, as JSON, through a rotation", async () => {
  const folder = aFolder();
  const logs = new RevisionLogs(join(folder, "a"));
  const file = logs.file("out");
  appendFileSync(file, "started with s3cret-value\n");
  logs.poll(at(1));
  logs.hide(["s3cret-value", "two\nlines", "short"]);
  logs.poll(at(2));
  expect(readFileSync(file, "utf8")).toBe("started with ************\n");
  appendFileSync(file, "half s3cret-");
  logs.poll(at(3));
  appendFileSync(file, 'value and "two\\nlines", short\n');
  logs.poll(at(4));
  expect(readFileSync(file, "utf8")).toBe('started with ************\nhalf ************ and "**********", short\n');
  appendFileSync(file, `${"x".repeat(1024 * 1024 - 70)}s3cret-value\n`);
  logs.poll(at(5), 1000);
  expect(readFileSync(`${file}.1`, "utf8")).not.toContain("s3cret-value");
  appendFileSync(file, "s3cret-value again\n");
  logs.poll(at(6), 1000);
  expect(readFileSync(file, "utf8")).toBe("************ again\n");
});

test("readLogs() finds text and times in all that is kept, however long, and gives the last of what it found", async () => {
  const folder = aFolder();
  const logs = new RevisionLogs(join(folder, "a"));
  const line = (n: number) => `${n} ${n % 1000 === 0 ? "needle" : "straw"} ${"x".repeat(120)}\n`;
  for (let second = 0; second < 30; second++) {
    appendFileSync(logs.file("out"), Array.from({ length: 1000 }, (_none, n) => line(second * 1000 + n)).join(""));
    logs.poll(at(second), 2 * 1024 * 1024);
  }
  const numbers = async (query: object) =>
    (await readLogs(folder, { limit: 1000, ...query })).map(({ line: text }) => Number(text.split(" ")[0]));
  const kept = await numbers({ text: "needle" });
  expect(kept.at(-1)).toBe(29_000);
  expect(kept.length).toBeGreaterThan(13); // what was rotated away once is searched too
  expect(kept).toEqual(kept.map((_n, place) => 29_000 - 1000 * (kept.length - 1 - place)));
  expect(await numbers({ text: "needle", limit: 2 })).toEqual([28_000, 29_000]);
  expect(await numbers({ text: "needle", after: at(20), until: at(22) })).toEqual([21_000, 22_000]);
  expect(await numbers({ after: at(27), until: at(28), limit: 10_000 })).toEqual(Array.from({ length: 1000 }, (_none, n) => 28_000 + n));
  expect(await numbers({ text: "nowhere" })).toEqual([]);
});

test("tailLogs() gives each line once and whole, over rotations too, from the place that it was given", async () => {
  const folder = aFolder();
  const logs = new RevisionLogs(join(folder, "a"));
  appendFileSync(logs.file("out"), "before\nhalf");
  logs.poll(at(0));
  const begun = await tailLogs(folder, { limit: 10 });
  expect(begun.lines.map(({ line }) => line)).toEqual(["before"]);
  let { cursor } = begun;
  const seen: string[] = [];
  const follow = async (query: object = {}) => {
    const tail = await tailLogs(folder, { limit: 10, cursor, ...query });
    cursor = tail.cursor;
    seen.push(...tail.lines.map(({ line }) => line));
    return tail;
  };
  const toTheEnd = async () => {
    for (let place = ""; place !== cursor;) {
      place = cursor;
      await follow();
    }
  };
  await follow();
  expect(seen).toEqual([]);
  appendFileSync(logs.file("out"), " whole\n");
  for (let n = 0; n < 60; n++) {
    appendFileSync(logs.file("out"), `line ${n}\n`);
    logs.poll(at(n % 60), 200);
    if (n % 7 === 0) await toTheEnd();
  }
  appendFileSync(join(folder, "a", "err.log"), "on the other stream\n");
  logs.note(at(59), "stopped");
  await toTheEnd();
  const ofOut = seen.filter((line) => line.startsWith("line") || line.startsWith("half"));
  expect(ofOut).toEqual(["half whole", ...Array.from({ length: 60 }, (_none, n) => `line ${n}`)]);
  expect(seen.filter((line) => !ofOut.includes(line)).toSorted()).toEqual(["on the other stream", "stopped"]);
  const late = await tailLogs(folder, { limit: 10, cursor: begun.cursor });
  expect(late.lostBytes).toBeGreaterThan(0);
  await expect(tailLogs(folder, { limit: 10, cursor: "nonsense" })).rejects.toMatchObject({ code: "agent.request_invalid" });
});
