/** Bytes of a command's output that are passed on as they come, and lines of what follows that are passed on at its end. */
const HEAD_BYTES = 4 * 1024 * 1024;
const TAIL_LINES = 200;
const LINE_LENGTH = 4096;

/** Passes on a command's lines with a bound: the beginning, then only the last lines, with a word on what is left out between. */
export function tailing(pass: (text: string) => void, headBytes = HEAD_BYTES, tailLines = TAIL_LINES) {
  const tail: string[] = [];
  let room = headBytes;
  let leftOut = 0;
  let last = "";
  return {
    line(text: string): void {
      const line = text.replace(/\r$/, "").slice(0, LINE_LENGTH);
      if (line.trim() !== "") last = line.trim();
      if (room > 0) {
        room -= Buffer.byteLength(line) + 1;
        pass(line);
        return;
      }
      tail.push(line);
      if (tail.length > 2 * tailLines) leftOut += tail.splice(0, tailLines).length;
    },
    end(): void {
      if (tail.length > tailLines) leftOut += tail.splice(0, tail.length - tailLines).length;
      if (leftOut > 0) pass(`(${leftOut} lines are left out here)`);
      for (const line of tail.splice(0)) pass(line);
    },
    /** The last line that says something. */
    last: () => last,
  };
}
