import { mkdir, open } from "node:fs/promises";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

/** A piece of a log. `next` is where to go on reading; `done` says that nothing will follow. */
export const LogPart = z.object({ text: z.string(), next: z.number(), done: z.boolean() });
export type LogPart = z.infer<typeof LogPart>;

const PART_BYTES = 256 * 1024;

const logPath = (folder: string, id: string): string => join(folder, "logs", `${id}.log`);

/** Begins the log of a run anew. */
export async function createLogFile(folder: string, id: string) {
  await mkdir(join(folder, "logs"), { recursive: true, mode: 0o700 });
  const stream = createWriteStream(logPath(folder, id), { mode: 0o600 });
  let failed: Error | undefined;
  stream.on("error", (error) => (failed = error));
  return {
    line: (text: string) => void stream.write(`${text}\n`),
    /** Waits until all is on disk. Throws what went wrong while writing. */
    close: async () => {
      if (!failed) await new Promise<void>((resolve) => stream.end(() => resolve()));
      if (failed) throw failed;
    },
  };
}

/** Reads at most 256 KiB from a byte on, cut where a character ends. A log that is not there yet is empty. */
export async function readLog(folder: string, id: string, from: number, ended: boolean): Promise<LogPart> {
  const file = await open(logPath(folder, id), "r").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  if (!file) return { text: "", next: from, done: ended };
  try {
    const { size } = await file.stat();
    const buffer = Buffer.alloc(Math.max(0, Math.min(PART_BYTES, size - from)));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, from);
    const whole = wholeCharacters(buffer.subarray(0, bytesRead));
    const next = from + whole.length;
    return { text: whole.toString("utf8"), next, done: ended && next >= size };
  } finally {
    await file.close();
  }
}

/** Without the beginning of a UTF-8 character whose end is not there yet. */
function wholeCharacters(bytes: Buffer): Buffer {
  for (let back = 1; back <= Math.min(4, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0b1100_0000) === 0b1000_0000) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? bytes.subarray(0, bytes.length - back) : bytes;
  }
  return bytes;
}
