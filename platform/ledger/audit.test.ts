import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { generateKeyPairSync } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { expect, onTestFinished, test } from "vitest";
import { statementIn } from "../evidence/dsse.ts";
import { signerOf } from "../evidence/signer.ts";
import { silentLog } from "../kernel/log.ts";
import { transact, type Db } from "../kernel/sql.ts";
import { auditExport } from "../offline/audit.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { hashOf } from "./chain.ts";
import { checkpointsOf } from "./checkpoints.ts";
import { consume, events, record } from "./store.ts";

const clock = testClock();

/** A ledger of 12 lines, signed at lines 5 and 10, whose trigger is out of the way. */
async function aLedger() {
  const folder = await mkdtemp(join(tmpdir(), "cairn-ledger-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const db = await database();
  const file = join(folder, "checkpoints.jsonl");
  const signer = signerOf(generateKeyPairSync("ed25519").privateKey);
  const parts = { db, clock, log: silentLog, sign: signer.sign, open: (envelope: unknown) => statementIn(envelope, signer), file };
  const checkpoints = checkpointsOf(parts);
  for (let n = 1; n <= 12; n++) {
    await write(db, n);
    if (n % 5 === 0) expect(await checkpoints.sign()).toMatchObject({ seq: n });
  }
  for (const table of ["ledger_event", "ledger_checkpoint"])
    await sql`alter table ${sql.table(table)} disable trigger append_only`.execute(db);
  const key = join(folder, "ledger.pub");
  await writeFile(key, signer.publicKey.export({ type: "spki", format: "pem" }));
  return { db, file, folder, signer, key, parts, checkpoints };
}

const write = (db: Db, n: number) =>
  transact(db, (tx) =>
    record(tx, clock, { type: "test.noted", about: "component:default/orders", actor: "user:default/ada", data: { n } }),
  );

/** Whoever can write to the database can reckon hashes too: it writes all lines from one on anew, as if they had always been so. */
async function rechain(db: Db, from: number): Promise<void> {
  let previous = (await events(db, { beforeSeq: from, newestFirst: true, limit: 1 }))[0]?.hash ?? "";
  for (const line of await events(db, { afterSeq: from - 1 })) {
    const hash = hashOf({ ...line, previousHash: previous as typeof line.hash });
    await sql`update ledger_event set previous_hash = ${previous}, hash = ${hash} where seq = ${line.seq}`.execute(db);
    previous = hash;
  }
}

test("verify() of an untouched ledger holds, and signs it to its end", async () => {
  const { checkpoints } = await aLedger();
  expect(await checkpoints.verify()).toMatchObject({ holds: true, lines: 12, seq: 12, checkpoints: 2, coveredTo: 10, faults: [] });
  expect(await checkpoints.verify()).toMatchObject({ holds: true, checkpoints: 3, coveredTo: 12 });
  expect(await checkpoints.sign()).toBeUndefined();
});

const attacks: [string, (db: Db) => Promise<unknown>, number, RegExp][] = [
  ["a changed line", (db) => sql`update ledger_event set data = '{"n": 99}' where seq = 3`.execute(db), 3, /^line 3 was changed/],
  ["another actor", (db) => sql`update ledger_event set actor = 'user:default/eve' where seq = 12`.execute(db), 12, /^line 12 was changed/],
  ["a removed line", (db) => sql`delete from ledger_event where seq = 7`.execute(db), 7, /^line 7 is missing/],
  ["several removed lines", (db) => sql`delete from ledger_event where seq in (2, 3)`.execute(db), 2, /^lines 2 to 3 are missing/],
  ["the first line removed", (db) => sql`delete from ledger_event where seq = 1`.execute(db), 1, /^line 1 is missing/],
  ["the last lines removed", (db) => sql`delete from ledger_event where seq > 8`.execute(db), 9, /^lines 9 to 10 are missing at the end/],
  [
    "the last lines removed, and their checkpoints",
    async (db) => {
      await sql`delete from ledger_event where seq > 4`.execute(db);
      await sql`delete from ledger_checkpoint`.execute(db);
    },
    5,
    /^lines 5 to 10 are missing at the end|lacks the checkpoint at line 5/,
  ],
  [
    "a line put in, with the numbers and hashes of all that follow",
    async (db) => {
      await sql`update ledger_event set seq = seq + 100 where seq >= 4`.execute(db);
      await sql`insert into ledger_event select 4, at, type, about, 'user:default/eve', data, previous_hash, hash from ledger_event where seq = 3`.execute(
        db,
      );
      await sql`update ledger_event set seq = seq - 99 where seq > 100`.execute(db);
      await rechain(db, 4);
    },
    5,
    /^lines 1 to 5 were written anew/,
  ],
  ["all written anew from a line on", async (db) => {
    await sql`update ledger_event set data = '{"n": 99}' where seq = 7`.execute(db);
    await rechain(db, 7);
  }, 10, /^lines 6 to 10 were written anew/], // prettier-ignore
  [
    "a checkpoint of one's own",
    (db) => sql`update ledger_checkpoint set hash = (select hash from ledger_event where seq = 9) where seq = 10`.execute(db),
    10,
    /^the checkpoint at line 10 in the database is not signed/,
  ],
];

test.each(attacks)("verify() finds %s, and names it", async (_what, attack, seq, because) => {
  const { db, checkpoints } = await aLedger();
  await attack(db);
  const found = await checkpoints.verify();
  expect(found.holds).toBe(false);
  expect(found.faults[0]).toEqual({ seq, because: expect.stringMatching(because) });
});

test("verify() knows from those who follow the ledger that lines after the last checkpoint were removed", async () => {
  const { db, checkpoints } = await aLedger();
  await consume(db, "notifications", ["test.noted"], async () => {});
  await sql`delete from ledger_event where seq = 12`.execute(db);
  expect((await checkpoints.verify()).faults).toEqual([
    { seq: 12, because: "line 12 is missing at the end: notifications has seen line 12" },
  ]);
});

test("sign() signs nothing on top of lines that do not fit", async () => {
  const { db, checkpoints } = await aLedger();
  await sql`update ledger_event set actor = 'user:default/eve' where seq = 11`.execute(db);
  expect(await checkpoints.sign()).toBeUndefined();
  expect((await checkpoints.all()).map(({ seq }) => seq)).toEqual([5, 10]);
});

test("what a crash left in one place only is brought to the other, unless nobody signed it", async () => {
  const { db, file, parts } = await aLedger();
  const kept = await readFile(file, "utf8");
  await sql`delete from ledger_checkpoint where seq = 10`.execute(db);
  expect((await checkpointsOf(parts).verify()).holds).toBe(true);
  await writeFile(file, kept.split("\n")[0] + "\n");
  expect((await checkpointsOf(parts).verify()).holds).toBe(true);
  const seqs = (await readFile(file, "utf8")).trim().split("\n").map((line) => JSON.parse(line).seq); // prettier-ignore
  expect(seqs).toEqual([5, 10, 12]);
  await writeFile(file, kept + JSON.stringify({ ...JSON.parse(kept.split("\n")[1]!), seq: 11 }) + "\n");
  expect((await checkpointsOf(parts).verify()).faults.slice(0, 1)).toMatchObject([
    { because: expect.stringMatching(/line 11 in .*checkpoints.jsonl is not signed/) },
  ]);
});

test("an exported ledger is audited without a database; what was done to the file is found too", async () => {
  const { db, file, folder, key, checkpoints } = await aLedger();
  await checkpoints.verify();
  const head = { format: "cairn-ledger/1", publicKey: await readFile(key, "utf8") };
  const lines = (await events(db)).map((line) => JSON.stringify(line));
  const signed = (await checkpoints.all()).map((one) => JSON.stringify(one));
  const audited = async (content: string[], from: Parameters<typeof auditExport>[1] = {}) => {
    const path = join(folder, "export.jsonl");
    await writeFile(path, content.join("\n") + "\n");
    return auditExport(path, from);
  };
  const whole = [JSON.stringify(head), ...lines, ...signed];
  expect(await audited(whole)).toMatchObject({ holds: true, lines: 12, coveredTo: 12, ownKey: true });
  expect(await audited(whole, { keyFile: key, checkpointsFile: file })).toMatchObject({ holds: true, ownKey: false });
  expect((await audited(whole.map((line) => line.replace('"n":3', '"n":4')))).faults).toMatchObject([{ seq: 3 }]);
  expect((await audited(whole.filter((line) => !line.includes('"n":11')))).faults).toMatchObject([{ seq: 11 }]);
  expect((await audited(whole.filter((line) => !line.includes('"n":12')))).faults).toMatchObject([{ seq: 12 }]);
  const short = [JSON.stringify(head), ...lines.slice(0, 6), ...signed.slice(0, 1)];
  expect((await audited(short)).holds).toBe(true);
  expect((await audited(short, { keyFile: key, checkpointsFile: file })).holds).toBe(false);
  const other = generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "pem" });
  expect((await audited([JSON.stringify({ ...head, publicKey: other }), ...lines, ...signed], { keyFile: key })).holds).toBe(true);
  expect((await audited([JSON.stringify({ ...head, publicKey: other }), ...lines, ...signed])).holds).toBe(false);
  await expect(audited(["{}"])).rejects.toMatchObject({ code: "audit.no_export" });
});
