import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** A TCP socket that listens on this machine. */
export interface Listening {
  /** As people write it: 127.0.0.1, 0.0.0.0, ::, ::1. */
  address: string;
  port: number;
  /** By which the one who holds it is found. */
  inode: string;
}

/** All listening sockets. Source: proc_pid_net(5): addresses in words of four bytes, each in the machine's own order; state 0A is LISTEN. */
export function listeningSockets(): Listening[] {
  return [...table("/proc/self/net/tcp", addressOf4), ...table("/proc/self/net/tcp6", addressOf6)];
}

/** Of these sockets, those that one of the processes holds. */
export function heldBy(sockets: readonly Listening[], processes: Iterable<number>): Listening[] {
  const wanted = new Map(sockets.map((socket) => [`socket:[${socket.inode}]`, socket]));
  const found = new Set<Listening>();
  for (const pid of processes)
    for (const link of descriptors(pid)) {
      const socket = wanted.get(link);
      if (socket) found.add(socket);
      if (found.size === wanted.size) return [...found];
    }
  return [...found];
}

/** Whether a connection to 127.0.0.1 at this port may reach it. */
export const answersAt = ({ address, port }: Listening, wanted: number): boolean =>
  port === wanted && (address === "127.0.0.1" || isEverywhere(address));

export const isEverywhere = (address: string): boolean => address === "0.0.0.0" || address === "::";

export const isLoopback = (address: string): boolean =>
  address.startsWith("127.") || address === "::1" || address.startsWith("::ffff:127.");

export const shown = ({ address, port }: Listening): string => (address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`);

function table(file: string, addressOf: (hex: string) => string): Listening[] {
  let lines: string[];
  try {
    lines = readFileSync(file, "utf8").split("\n").slice(1);
  } catch {
    return []; // a kernel without IPv6
  }
  return lines.flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const [hex = "", port = ""] = (fields[1] ?? "").split(":");
    return fields[3] === "0A" ? [{ address: addressOf(hex), port: Number.parseInt(port, 16), inode: fields[9] ?? "" }] : [];
  });
}

const bytesOf = (hex: string): Buffer => {
  const bytes = Buffer.from(hex, "hex");
  return littleEndian ? bytes.swap32() : bytes;
};
const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

const addressOf4 = (hex: string): string => bytesOf(hex).join(".");

function addressOf6(hex: string): string {
  const bytes = bytesOf(hex);
  if (bytes.every((byte) => byte === 0)) return "::";
  if (bytes.subarray(0, 15).every((byte) => byte === 0) && bytes[15] === 1) return "::1";
  if (bytes.subarray(0, 10).every((byte) => byte === 0) && bytes.readUInt16BE(10) === 0xffff)
    return `::ffff:${bytes.subarray(12).join(".")}`;
  return Array.from({ length: 8 }, (_, n) => bytes.readUInt16BE(n * 2).toString(16)).join(":");
}

/** What a process has open, as the kernel names it; nothing where we may not look. */
export function descriptors(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).flatMap((fd) => {
      try {
        return [readlinkSync(`${folder}/${fd}`)];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}
