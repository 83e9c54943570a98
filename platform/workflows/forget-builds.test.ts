import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { aBuilder, aProvenance } from "../evidence/fixture.ts";
import { artifactOf, file } from "../evidence/store.ts";
import { sha256 } from "../kernel/digest.ts";
import type { Db } from "../kernel/sql.ts";
import { events } from "../ledger/store.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { forgetBuilds } from "./forget-builds.ts";

const DAY = 86_400_000;

async function aHome() {
  const home = await mkdtemp(join(tmpdir(), "cairn-builds-"));
  onTestFinished(() => rm(home, { recursive: true }));
  await mkdir(join(home, "artifacts"));
  await mkdir(join(home, "ci", "logs"), { recursive: true });
  const db = await database();
  const clock = testClock();
  const { signer, key } = aBuilder();
  /** An artifact that CI made now. */
  const build = async (name: string) => {
    const digest = sha256(name);
    const path = join(home, "artifacts", name);
    await writeFile(path, name);
    const [startedOn, finishedOn] = [clock.now().toISOString(), clock.now().toISOString()];
    const envelopes = [signer.sign(aProvenance({ artifact: digest, startedOn, finishedOn }))];
    const artifact = { digest, sizeBytes: name.length, repository: "orders", commit: "c".repeat(40), ciRun: `run-${name}`, path };
    await file(db, clock, [key], { artifact, envelopes, actor: "system:ci" });
    return digest;
  };
  const forget = () => forgetBuilds({ db, clock, ciFolder: join(home, "ci") });
  return { home, db, clock, build, forget, left: () => readdir(join(home, "artifacts")).then((names) => names.toSorted()) };
}

let releases = 0;
const release = (db: Db, artifact: string, at: Date, state: "promoted" | "rolled_back" | "waiting" = "promoted") =>
  db
    .insertInto("release")
    .values({
      id: `rel-${++releases}`,
      service: "orders",
      environment: "production",
      commit: "c".repeat(40),
      artifact_digest: artifact,
      revision: "r",
      plan: "p",
      decision: null,
      state: state === "waiting" ? "planned" : state,
      because: "",
      percent: 0,
      steps_percent: JSON.stringify([]) as never,
      rules: null,
      previous: null,
      started_by: "user:default/ada",
      created_at: at,
      ended_at: state === "waiting" ? null : at,
    })
    .execute();

test("of artifacts older than 90 days those stay that one of the last ten releases had, or one that is on its way", async () => {
  const { db, clock, build, forget, left } = await aHome();
  for (let nth = 1; nth <= 12; nth++) {
    await release(db, await build(`release-${String(nth).padStart(2, "0")}`), clock.now());
    clock.turn(1);
  }
  await release(db, await build("waiting"), clock.now(), "waiting");
  await release(db, await build("rolled-back"), clock.now(), "rolled_back");
  const never = await build("never-released");
  await forget();
  expect(await left()).toHaveLength(15);

  clock.turn((91 * DAY) / 1000);
  await build("young");
  await forget();
  await forget();
  const kept = Array.from({ length: 10 }, (_, nth) => `release-${String(nth + 3).padStart(2, "0")}`);
  expect(await left()).toEqual([...kept, "waiting", "young"]);
  expect(await artifactOf(db, never)).toMatchObject({ forgottenAt: clock.now() });
  const told = await events(db, { about: "repository:orders", types: ["evidence.artifact_forgotten"] });
  expect(told.map(({ data }) => (data as { artifact: string }).artifact).toSorted()).toEqual(
    [sha256("release-01"), sha256("release-02"), sha256("rolled-back"), never].toSorted(),
  );

  await build("never-released");
  await forget();
  expect(await artifactOf(db, never)).toMatchObject({ forgottenAt: null });
  expect(await left()).toContain("never-released");
});

test("logs older than 90 days go, others stay, and where none was written yet there is nothing to do", async () => {
  const { home, clock, forget } = await aHome();
  const logs = join(home, "ci", "logs");
  for (const [name, days] of [
    ["old.log", 91],
    ["young.log", 89],
  ] as const) {
    await writeFile(join(logs, name), name);
    const written = new Date(clock.now().getTime() - days * DAY);
    await utimes(join(logs, name), written, written);
  }
  await forget();
  expect(await readdir(logs)).toEqual(["young.log"]);
  await rm(logs, { recursive: true });
  await forget();
});
