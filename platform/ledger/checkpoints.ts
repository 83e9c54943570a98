import { mkdir, open, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { transact, type Db, type Sql } from "../kernel/sql.ts";
import { audit, type Audit, type Checkpoint } from "./audit.ts";
import { firstBreak } from "./chain.ts";
import { digest } from "./model.ts";
import { events, linesAfter } from "./store.ts";

declare module "../kernel/sql.ts" {
  interface Tables {
    ledger_checkpoint: { seq: number; hash: Checkpoint["hash"]; at: Date; envelope: unknown };
  }
}

/** https://in-toto.io/Statement/v1 about the hash of a line. */
const PREDICATE = "https://cairn.dev/ledger-checkpoint/v1";
const statementOf = ({ seq, hash, at }: Omit<Checkpoint, "envelope">) => ({
  _type: "https://in-toto.io/Statement/v1",
  subject: [{ name: `ledger line ${seq}`, digest: { sha256: hash.slice("sha256:".length) } }],
  predicateType: PREDICATE,
  predicate: { seq, at },
});

/** Whether an opened envelope says what the checkpoint says. `statement` is undefined where no key fitted. */
export const saysSo = (statement: unknown, checkpoint: Checkpoint): boolean =>
  statement !== undefined &&
  JSON.stringify(Said.safeParse(statement).data) === JSON.stringify(Said.parse(JSON.parse(JSON.stringify(statementOf(checkpoint)))));

const Said = z.object({
  subject: z.array(z.object({ digest: z.object({ sha256: z.string() }) })).length(1),
  predicateType: z.literal(PREDICATE),
  predicate: z.object({ seq: z.number(), at: z.string() }),
});

export const CheckpointLine = z.object({ seq: z.number(), hash: digest, at: z.coerce.date(), envelope: z.unknown() });

export interface CheckpointParts {
  db: Db;
  clock: Clock;
  log: Log;
  /** Signs a statement in a DSSE envelope, with a key that the database never sees. */
  sign: (statement: unknown) => unknown;
  /** The statement in an envelope that this key signed; undefined for any other. */
  open: (envelope: unknown) => unknown;
  /** A copy outside the database, a JSON line each: whoever can write to the one need not be able to write to the other. */
  file: string;
}

export interface Checkpoints {
  /** Signs the last line where there are new ones and `when` agrees, asked how many and how long ago the last checkpoint was; nothing where the lines since the last checkpoint do not fit. */
  sign(when?: (lines: number, ageSeconds: number) => boolean): Promise<Checkpoint | undefined>;
  all(): Promise<Checkpoint[]>;
  /** Reads the whole ledger and compares it with its checkpoints, those in the file included; where it holds, it is signed to its end. */
  verify(): Promise<Audit>;
}

/** The signed checkpoints of the ledger. What they say is brought to the file first; a crash between the two is made good at the next one. */
export function checkpointsOf({ db, clock, log, sign, open: opened, file }: CheckpointParts): Checkpoints {
  let queue: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(body: () => Promise<T>): Promise<T> => {
    const next = queue.then(body, body);
    queue = next.catch(() => {});
    return next;
  };
  const isSigned = (checkpoint: Checkpoint) => saysSo(opened(checkpoint.envelope), checkpoint);

  /** What a crash left in one place only is brought to the other, once: later both are written here. */
  let synced = false;
  async function sync(): Promise<void> {
    if (synced) return;
    const [inFile, inDatabase] = [await fromFile(file), (await keptIn(db)).toReversed()];
    const newerThan =
      (seq = 0) =>
      (one: Checkpoint) =>
        one.seq > seq && isSigned(one);
    for (const one of inFile.filter(newerThan(inDatabase.at(-1)?.seq))) await keep(db, one);
    for (const one of inDatabase.filter(newerThan(inFile.at(-1)?.seq))) await append(file, one);
    synced = true;
  }

  async function signLast(when: (lines: number, ageSeconds: number) => boolean): Promise<Checkpoint | undefined> {
    await sync();
    const [last] = await keptIn(db, 1);
    const [head] = await events(db, { newestFirst: true, limit: 1 });
    const ageSeconds = last ? (clock.now().getTime() - last.at.getTime()) / 1000 : Number.POSITIVE_INFINITY;
    if (!head || head.seq <= (last?.seq ?? 0) || !when(head.seq - (last?.seq ?? 0), ageSeconds)) return undefined;
    let previous: { seq: number; hash: Checkpoint["hash"] | "" } = last ?? { seq: 0, hash: "" };
    for await (const page of linesAfter(db, previous.seq)) {
      const broken = firstBreak(page, previous);
      if (broken) {
        log.error({ seq: broken.seq }, `the ledger is not signed any further: ${broken.because}`);
        return undefined;
      }
      previous = page.at(-1) ?? previous;
    }
    if (previous.hash === "") return undefined;
    const said = { seq: previous.seq, hash: previous.hash, at: clock.now() };
    const checkpoint: Checkpoint = { ...said, envelope: sign(statementOf(said)) };
    await append(file, checkpoint);
    await keep(db, checkpoint);
    return checkpoint;
  }

  return {
    sign: (when = () => true) => inTurn(() => signLast(when)),
    all: async () => (await keptIn(db)).toReversed(),
    verify: () =>
      inTurn(async () => {
        await sync();
        const sources = [
          { name: "the database", checkpoints: (await keptIn(db)).toReversed() },
          { name: file, checkpoints: await fromFile(file) },
        ] as const;
        const cursors = await db.selectFrom("ledger_cursor").selectAll().execute();
        const found = await audit(
          linesAfter(db, 0),
          sources,
          isSigned,
          Object.fromEntries(cursors.map(({ consumer, seq }) => [consumer, seq])),
        );
        if (found.holds) await signLast(() => true);
        return found;
      }),
  };
}

/** How many lines, or how long, a removal at the end may stay unnoticed. */
const LINES = 100;
const SECONDS = 60;

/** Signs the ledger from time to time, and once more at the end. */
export function startCheckpoints(checkpoints: Checkpoints, log: Log): { close: () => Promise<void> } {
  const sign = (when?: Parameters<Checkpoints["sign"]>[0]) =>
    checkpoints.sign(when).then(
      () => {},
      (error: unknown) => log.warn({ err: error }, "the ledger could not be signed; it is tried again"),
    );
  const timer = setInterval(() => void sign((lines, ageSeconds) => lines >= LINES || ageSeconds >= SECONDS), 5000);
  return {
    close: async () => {
      clearInterval(timer);
      await sign();
    },
  };
}

/** The newest first. */
async function keptIn(db: Sql, limit?: number): Promise<Checkpoint[]> {
  const query = db.selectFrom("ledger_checkpoint").selectAll().orderBy("seq", "desc");
  return (limit === undefined ? query : query.limit(limit)).execute();
}

const keep = (db: Db, { envelope, ...checkpoint }: Checkpoint) =>
  transact(db, (tx) =>
    tx
      .insertInto("ledger_checkpoint")
      .values({ ...checkpoint, envelope: JSON.stringify(envelope) as never })
      .onConflict((oc) => oc.column("seq").doNothing())
      .execute(),
  );

async function append(file: string, checkpoint: Checkpoint): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const handle = await open(file, "a", 0o600);
  try {
    await handle.write(`${JSON.stringify(checkpoint)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What the file holds, in order. A last line that a crash cut off is none; any other that can't be read is one that nobody signed. */
async function fromFile(file: string): Promise<Checkpoint[]> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    return "";
  });
  return text.split("\n").slice(0, -1).map(readCheckpoint);
}

/** A line of the file. */
export function readCheckpoint(line: string): Checkpoint {
  try {
    const { envelope, ...checkpoint } = CheckpointLine.parse(JSON.parse(line));
    return { ...checkpoint, envelope } as Checkpoint;
  } catch {
    return { seq: 0, hash: "sha256:", at: new Date(0), envelope: undefined };
  }
}
