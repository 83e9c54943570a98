import { open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Attempt, Quarantined, RevisionSpec, TargetName } from "./model.ts";
import type { KeptCounts } from "./proxy/counters.ts";
import type { ProcessIdentity } from "./services/proc.ts";

/** What the agent must know again after its own death. Secrets stand in it as references, within the manifests. */
export interface Journal {
  version: 1;
  targets: TargetRecord[];
  /** Digests that do not start here, whoever asks. */
  quarantine?: Quarantined[];
  /** What was refused at the gate. */
  attempts?: Attempt[];
}

export interface TargetRecord extends TargetName {
  /** Of its address; never changes. */
  port: number;
  /** The user that its services run as, where each target has one of its own. */
  user: number | null;
  /** Percent by revision. */
  weights: Record<string, number>;
  revisions: RevisionRecord[];
}

export interface RevisionRecord {
  spec: RevisionSpec;
  /** Where the service listens. */
  port: number;
  startedAt: string;
  restarts: number;
  /** Whether it has ever been healthy: one that never was and has no weight is given up. */
  wasHealthy: boolean;
  /** It is being drained and stopped. */
  leaving: boolean;
  process: ProcessIdentity | null;
  /** Digest over the hashes of its files, as its artifact has them; null until it is unpacked. */
  tree?: string | null;
}

export async function readJournal(file: string): Promise<Journal> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  return text === undefined ? { version: 1, targets: [] } : (JSON.parse(text) as Journal);
}

/** Gives a function that writes the journal as it is then, durably and whole. Calls while one is being written share the next. */
export function journalWriter(file: string, current: () => Journal): () => Promise<void> {
  let last: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  const write = async () => {
    const text = JSON.stringify(current());
    const temporary = `${file}.new`;
    const handle = await open(temporary, "w", 0o600);
    await handle
      .writeFile(text)
      .then(() => handle.sync())
      .finally(() => handle.close());
    await rename(temporary, file);
    const folder = await open(dirname(file), "r");
    await folder.sync().finally(() => folder.close());
  };
  return () =>
    (next ??= last = last
      .catch(() => {})
      .then(() => {
        next = undefined;
        return write();
      }));
}

/** What was counted, by target and revision, of an agent that ended in order. */
export interface KeptCounters {
  target: string;
  callers: { epoch: string; counts: { caller: string; requests: number }[] };
  revisions: Record<string, KeptCounts>;
}

const countersFile = (journal: string): string => `${journal}.counters`;

/** Keeps what was counted for the next agent. */
export async function keepCounters(journal: string, kept: readonly KeptCounters[]): Promise<void> {
  const file = countersFile(journal);
  await writeFile(`${file}.new`, JSON.stringify(kept), { mode: 0o600 });
  await rename(`${file}.new`, file);
}

/** What the agent before had counted, once: after a crash there is nothing, since counters that stood still would be false. */
export async function takeCounters(journal: string): Promise<KeptCounters[]> {
  const file = countersFile(journal);
  const text = await readFile(file, "utf8").catch(() => "[]");
  await rm(file, { force: true });
  try {
    return JSON.parse(text) as KeptCounters[];
  } catch {
    return []; // cut off by a full disk: they begin at zero, under another epoch
  }
}
