import { join, sep } from "node:path";
import type { Clock } from "@cairn/platform/kernel/clock.ts";
import type { Log } from "@cairn/platform/kernel/log.ts";
import type { Finding } from "../model.ts";
import { shortHash } from "../places.ts";
import { commandOf, processTable, programOf, variableOf, type ProcessIdentity, type ProcessRow } from "./proc.ts";
import { answersAt, heldBy, isLoopback, listeningSockets, shown, type Listening } from "./sockets.ts";
import { readTree, TreeWatch } from "./tree.ts";

/** One revision that runs, as the watch sees it. */
export interface Observed {
  id: string;
  /** Its folder: app, home, tmp and tree.json. */
  folder: string;
  port: number;
  process: ProcessIdentity | null;
  /** The value of CAIRN_INSTANCE in the environment of all that it starts. */
  mark: string;
  /** The user that its target alone runs as; null where all run as we do. */
  user: number | null;
  /** Digest of tree.json. */
  tree: string | null;
}

type Found = Omit<Finding, "id" | "revision" | "foundAt">;

/** How often processes and sockets are looked at, and with every second look the files. What is out of the way is found within two looks. */
const EVERY_MS = 12_000;
/** So much of the files that look untouched is hashed with each look, until all has been, and then anew. */
const SLOW_BYTES = 8 * 1024 * 1024;

/**
 * Looks, again and again, whether what runs is still what was started: the files of each revision against its artifact, its processes against those that came
 * from its own, its port against who answers there. It changes nothing; it tells.
 */
export class Watch {
  readonly #clock: Clock;
  readonly #log: Log;
  /** The targets, each with its revisions. */
  readonly #targets: () => Observed[][];
  readonly #allowed: string[];
  readonly #trees = new Map<string, { digest: string; watch: TreeWatch }>();
  /** Processes that were once seen to come from a revision's own: their parents may be gone since. */
  readonly #known = new Map<string, Map<number, number>>();
  /** What processes bear as CAIRN_INSTANCE. One that is young may still become another program, so it is read again. */
  #marks = new Map<number, { startTicks: number; mark: string | undefined; reads: number }>();
  readonly #findings = new Map<string, Finding[]>();
  #timer: NodeJS.Timeout | undefined;
  #looks = 0;
  #looking: Promise<void> | undefined;

  constructor(parts: { clock: Clock; log: Log; nodeFolder: string; targets: () => Observed[][] }) {
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#targets = parts.targets;
    this.#allowed = [parts.nodeFolder];
  }

  begin(): void {
    this.#timer = setInterval(() => void this.look({ files: this.#looks % 2 === 0 }), EVERY_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** What was found of a revision the last time. */
  of(folder: string): readonly Finding[] {
    return this.#findings.get(folder) ?? [];
  }

  /** Looks once; a look that is under way is waited for, and another begins after it. */
  look(options: { files: boolean }): Promise<void> {
    const before = this.#looking ?? Promise.resolve();
    const mine: Promise<void> = before
      .then(() => this.#look(options.files))
      .catch((error: unknown) => this.#log.error({ err: error }, "a look at what runs failed"))
      .finally(() => {
        if (this.#looking === mine) this.#looking = undefined;
      });
    return (this.#looking = mine);
  }

  async #look(files: boolean): Promise<void> {
    this.#looks += 1;
    const table = await processTable();
    const marks = this.#marksOf(table);
    const sockets = listeningSockets();
    const targets = this.#targets();
    for (const revisions of targets) {
      const own = revisions.map((revision) => this.#own(revision, table));
      const strangers = strangersOf(revisions, own, table, marks);
      for (const [n, revision] of revisions.entries()) {
        const mine = own[n] as Set<number>;
        const found: Found[] = [
          ...(strangers.get(revision) ?? []),
          ...this.#programs(revision, mine),
          ...(revision.process ? portFindings(revision, mine, sockets, table) : []),
          ...(files ? await this.#files(revision) : this.of(revision.folder).filter(({ kind }) => kind.startsWith("file_"))),
        ];
        this.#keep(revision, found);
      }
    }
    this.#forget(new Set(targets.flat().map(({ folder }) => folder)));
  }

  /** The processes of a revision: its first one with all its descendants and its session, and what was one of these before. */
  #own(revision: Observed, table: ReadonlyMap<number, ProcessRow>): Set<number> {
    const leader = revision.process;
    const known = this.#known.get(revision.folder) ?? new Map<number, number>();
    const own = new Set<number>();
    const isOwn = (row: ProcessRow | undefined, depth = 0): boolean => {
      if (!row || !leader || depth > 64) return false;
      return (
        own.has(row.pid) ||
        (row.pid === leader.pid && row.startTicks === leader.startTicks) ||
        row.session === leader.pid ||
        known.get(row.pid) === row.startTicks ||
        isOwn(table.get(row.parent), depth + 1)
      );
    };
    for (const row of table.values()) if (isOwn(row)) own.add(row.pid);
    this.#known.set(revision.folder, new Map([...own].map((pid) => [pid, table.get(pid)?.startTicks ?? 0])));
    return own;
  }

  #marksOf(table: ReadonlyMap<number, ProcessRow>): Map<number, string> {
    const next = new Map<number, { startTicks: number; mark: string | undefined; reads: number }>();
    for (const { pid, startTicks } of table.values()) {
      const known = this.#marks.get(pid);
      const isKnown = known?.startTicks === startTicks;
      const reads = isKnown ? known.reads : 0;
      next.set(pid, isKnown && reads >= 3 ? known : { startTicks, mark: variableOf(pid, "CAIRN_INSTANCE"), reads: reads + 1 });
    }
    this.#marks = next;
    return new Map([...next].flatMap(([pid, { mark }]) => (mark === undefined ? [] : [[pid, mark]])));
  }

  #programs(revision: Observed, own: ReadonlySet<number>): Found[] {
    const app = join(revision.folder, "app") + sep;
    const writable = [join(revision.folder, "home") + sep, join(revision.folder, "tmp") + sep, ...PUBLIC];
    return [...own].flatMap((pid): Found[] => {
      const program = programOf(pid);
      if (program === undefined || program.startsWith(app) || this.#allowed.some((folder) => program.startsWith(folder + sep))) return [];
      if (!program.startsWith("/memfd:") && !writable.some((folder) => program.startsWith(folder))) return [];
      const detail = `process ${pid} runs ${program}, which lies outside its artifact and where services may write: ${commandOf(pid)}`;
      return [{ kind: "program_outside", subject: program, detail }];
    });
  }

  async #files({ folder, tree }: Observed): Promise<Found[]> {
    if (tree === null) return [];
    let kept = this.#trees.get(folder);
    if (kept?.digest !== tree) {
      const read = await readTree(join(folder, "tree.json"), tree);
      if (!read) return [{ kind: "file_changed", subject: "tree.json", detail: "the list of what its artifact holds was changed" }];
      kept = { digest: tree, watch: new TreeWatch(join(folder, "app"), read) };
      this.#trees.set(folder, kept);
    }
    return (await kept.watch.compare({ slowBytes: SLOW_BYTES })).map(({ kind, path, detail }) => ({ kind, subject: path, detail }));
  }

  #keep(revision: Observed, found: readonly Found[]): void {
    const before = new Map(this.of(revision.folder).map((finding) => [finding.id, finding]));
    const at = this.#clock.now().toISOString();
    const now = found.slice(0, MOST_FINDINGS).map((one): Finding => {
      const id = shortHash(`${revision.folder}\0${one.kind}\0${one.subject}`);
      return { ...one, id, revision: revision.id, foundAt: before.get(id)?.foundAt ?? at };
    });
    for (const finding of now) if (!before.has(finding.id)) this.#log.warn(finding, "found in what runs");
    this.#findings.set(revision.folder, now);
  }

  #forget(kept: ReadonlySet<string>): void {
    for (const map of [this.#trees, this.#known, this.#findings])
      for (const folder of map.keys()) if (!kept.has(folder)) map.delete(folder);
  }
}

/** Of a revision; a tree that was replaced as a whole need not be told file by file. */
const MOST_FINDINGS = 50;

const PUBLIC = ["/tmp/", "/var/tmp/", "/dev/shm/"];

/** Processes under a target's user, or with a revision's mark, that did not come from its own. */
function strangersOf(
  revisions: readonly Observed[],
  own: readonly Set<number>[],
  table: ReadonlyMap<number, ProcessRow>,
  marks: ReadonlyMap<number, string>,
): Map<Observed, Found[]> {
  const found = new Map<Observed, Found[]>();
  const [first] = revisions;
  if (!first) return found;
  const all = new Set(own.flatMap((set) => [...set]));
  for (const { pid, user } of table.values()) {
    if (all.has(pid) || pid === process.pid) continue;
    const isTheirs = first.user !== null && user === first.user;
    const marked = revisions.find(({ mark }) => marks.get(pid) === mark);
    if (!isTheirs && !marked) continue;
    const revision = marked ?? first;
    const because = marked ? "bears its mark" : `runs as its user ${user}`;
    const detail = `process ${pid} ${because} and was not started by it: ${commandOf(pid) || "(no command)"}`;
    found.set(revision, [...(found.get(revision) ?? []), { kind: "process_foreign", subject: `process ${pid}`, detail }]);
  }
  return found;
}

function portFindings(
  revision: Observed,
  own: ReadonlySet<number>,
  sockets: readonly Listening[],
  table: ReadonlyMap<number, ProcessRow>,
): Found[] {
  const held = new Set(heldBy(sockets, own));
  const foreign = sockets.filter((socket) => answersAt(socket, revision.port) && !held.has(socket));
  const open = [...held].filter(({ address }) => !isLoopback(address));
  return [
    ...foreign.map((socket): Found => {
      const holder = [...table.keys()].find((pid) => heldBy([socket], [pid]).length > 0);
      const who = holder === undefined ? "a process that can't be seen from here" : `process ${holder} (${commandOf(holder)})`;
      return { kind: "port_taken", subject: `port ${revision.port}`, detail: `${who} answers on its port, and is not of this revision` };
    }),
    ...open.map((socket): Found => ({
      kind: "listens_on_all",
      subject: shown(socket),
      detail: `it listens on ${shown(socket)}, where other machines reach it past the proxy: listen on $HOST`,
    })),
  ];
}
