/** What git said of a push that it refused, in whole or in part. */
export interface RefusedPush {
  refs: { ref: string; because: string }[];
  /** What was told to whoever pushed, at most a few lines. */
  said: string;
}

/** Most that is kept of what git says to a client: the report comes last, and hooks are short. */
const MOST_BYTES = 256 * 1024;

/** Listens to what receive-pack answers. Source: git's "gitprotocol-pack", report-status and side-band. */
export function pushListener(): { hear(chunk: Buffer): void; refused(): RefusedPush | undefined } {
  let heard: Buffer = Buffer.alloc(0);
  return {
    hear(chunk) {
      heard = Buffer.concat([heard, chunk]);
      if (heard.length > MOST_BYTES) heard = heard.subarray(packetBoundary(heard, heard.length - MOST_BYTES));
    },
    refused() {
      const { report, said } = bandsOf(heard);
      const refs = [...report.matchAll(/^....ng (refs\/\S+) (.*)$/gm)].map(([, ref = "", because = ""]) => ({ ref, because }));
      if (refs.length === 0) return undefined;
      const lines = said
        .split(/[\r\n]+/)
        .map((line) => line.trim())
        .filter((line) => line !== "" && !/^\S[^:]*: +\d+% /.test(line));
      return { refs: refs.slice(0, 20), said: lines.slice(-5).join("\n").slice(0, 1000) };
    },
  };
}

/** The report (band 1) and what people read (bands 2 and 3); without side bands all is report. */
function bandsOf(bytes: Buffer): { report: string; said: string } {
  let report = "";
  let said = "";
  for (const packet of packetsOf(bytes)) {
    const text = packet.toString("utf8", 1);
    if (packet[0] === 1) report += text;
    else if (packet[0] === 2 || packet[0] === 3) said += text;
    else report += `0000${packet.toString("utf8")}`;
  }
  return { report, said };
}

function* packetsOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at + 4 <= bytes.length;) {
    const length = Number.parseInt(bytes.toString("latin1", at, at + 4), 16);
    if (Number.isNaN(length)) return;
    if (length > 4) yield bytes.subarray(at + 4, at + length);
    at += Math.max(4, length);
  }
}

/** The first packet that begins at or after an offset. */
function packetBoundary(bytes: Buffer, offset: number): number {
  let at = 0;
  while (at < offset && at + 4 <= bytes.length) {
    const length = Number.parseInt(bytes.toString("latin1", at, at + 4), 16);
    if (Number.isNaN(length)) return offset;
    at += Math.max(4, length);
  }
  return at;
}
