import {
  appendFileSync,
  closeSync,
  copyFileSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { messageOf } from "@cairn/platform/kernel/faults.ts";

export const STREAMS = ["out", "err"] as const;
type Stream = (typeof STREAMS)[number];
const ROTATE_AT_BYTES = 16 * 1024 * 1024;

/** Shorter ones are no secrets, and would take away half of what a service says. */
const LEAST_SECRET = 6;
const BLOT_BYTES = 1024 * 1024;

/**
 * The logs of one revision: the service appends to out.log and err.log itself; we note beside them up to which byte they had grown when, which gives lines
 * their times, and write over the secrets that it may have printed. agent.log holds what the agent has to say about the revision.
 */
export class RevisionLogs {
  readonly folder: string;
  readonly #noted = new Map<Stream, number>();
  readonly #blotted = new Map<Stream, number>();
  #secrets: Buffer[] = [];

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  file(stream: Stream): string {
    return join(this.folder, `${stream}.log`);
  }

  /** From now on these values, as they are and as JSON writes them, are written over wherever the service prints them, in what is kept already too. */
  hide(values: readonly string[]): void {
    const written = values.filter((value) => value.length >= LEAST_SECRET).flatMap((value) => [value, JSON.stringify(value).slice(1, -1)]);
    this.#secrets = [...new Set(written)].map((value) => Buffer.from(value)).sort((a, b) => b.length - a.length);
    this.#blotted.clear();
  }

  /** Notes growth since the last call, and starts a new file where one has grown large. */
  poll(now: Date, rotateAtBytes = ROTATE_AT_BYTES): void {
    for (const stream of STREAMS) {
      const size = sizeOf(this.file(stream));
      const hasGrown = size !== (this.#noted.get(stream) ?? 0);
      if (!hasGrown && size === (this.#blotted.get(stream) ?? 0)) continue;
      try {
        this.#blot(this.file(stream), stream);
        if (!hasGrown) continue;
        appendFileSync(this.#times(stream), `${size} ${now.getTime()}\n`, { mode: 0o600 });
        this.#noted.set(stream, size);
        if (size > rotateAtBytes) this.#rotate(stream, now);
      } catch (error) {
        this.note(now, `its log could not be kept: ${messageOf(error)}`);
      }
    }
  }

  note(now: Date, line: string): void {
    try {
      appendFileSync(join(this.folder, "agent.log"), `${JSON.stringify({ at: now.toISOString(), line })}\n`, { mode: 0o600 });
    } catch {
      // A full disk must not end the service.
    }
  }

  #times(stream: Stream): string {
    return join(this.folder, `${stream}.times`);
  }

  /** The service has the file open, so it is copied and cut to nothing. What comes between the last read and the cut is lost, and told. */
  #rotate(stream: Stream, now: Date): void {
    const file = this.file(stream);
    const before = `${file}.1`;
    copyFileSync(file, before);
    const fd = openSync(file, "r+");
    try {
      const copied = sizeOf(before);
      const rest = readFrom(fd, copied, fstatSync(fd).size - copied);
      appendFileSync(before, rest);
      this.#blot(before, stream);
      const lost = fstatSync(fd).size - copied - rest.length;
      // How much was put aside in all: so a reader's place in the log stays what it is.
      writeFileSync(baseFile(this.folder, stream), String(readBase(this.folder, stream) + sizeOf(before)), { mode: 0o600 });
      ftruncateSync(fd, 0);
      if (lost > 0) this.note(now, `${lost} bytes of ${stream} were lost as its log was rotated`);
    } finally {
      closeSync(fd);
    }
    copyFileSync(this.#times(stream), `${this.#times(stream)}.1`);
    ftruncateFile(this.#times(stream));
    this.#noted.set(stream, 0);
    this.#blotted.set(stream, 0);
  }

  /** Writes asterisks over secrets, byte for byte: the service appends, so nothing of its own is in the way. One that it has written half is found the next time. */
  #blot(file: string, stream: Stream): void {
    const longest = this.#secrets[0]?.length ?? 1;
    const fd = openSync(file, "r+");
    try {
      const size = fstatSync(fd).size;
      const from = Math.max(0, (this.#blotted.get(stream) ?? 0) - longest + 1);
      for (let at = from; this.#secrets.length > 0 && at < size; at += BLOT_BYTES) {
        const bytes = readFrom(fd, at, Math.min(BLOT_BYTES + longest - 1, size - at));
        for (const secret of this.#secrets)
          for (let found = bytes.indexOf(secret); found >= 0; found = bytes.indexOf(secret, found + secret.length)) {
            bytes.fill(42, found, found + secret.length);
            writeSync(fd, bytes, found, secret.length, at + found);
          }
      }
      this.#blotted.set(stream, size);
    } finally {
      closeSync(fd);
    }
  }
}

export const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

const baseFile = (folder: string, stream: Stream): string => join(folder, `${stream}.base`);

/** How many bytes of a stream came before those of its present file. */
export const readBase = (folder: string, stream: Stream): number => Number(textOf(baseFile(folder, stream)) || 0);

export function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

const ftruncateFile = (file: string): void => {
  const fd = openSync(file, "r+");
  ftruncateSync(fd, 0);
  closeSync(fd);
};

export function readFrom(fd: number, from: number, length: number): Buffer {
  const bytes = Buffer.alloc(Math.max(0, length));
  let done = 0;
  while (done < bytes.length) {
    const read = readSync(fd, bytes, done, bytes.length - done, from + done);
    if (read === 0) break;
    done += read;
  }
  return bytes.subarray(0, done);
}

/** Of what a process said last, at most five lines that may tell why it ended: what sounds like an error first, and no frames of a stack. */
export function tellingLines(lines: readonly string[]): string[] {
  const said = [...new Set(lines.filter((line) => line.trim() !== "" && !/^\s+at |^Node\.js v\d|^[\s{}^]*$/.test(line)))];
  const errors = said.filter((line) => /error|exception|traceback|panic|fatal|refused|denied|\bE[A-Z]{4,}\b/i.test(line)).slice(-3);
  const rest = said.filter((line) => !errors.includes(line)).slice(errors.length - 5);
  return said.filter((line) => errors.includes(line) || rest.includes(line)).map((line) => line.slice(0, 500));
}
