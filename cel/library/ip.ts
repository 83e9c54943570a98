import { CelError, Opaque } from "../values/values.ts";
import { overloadsOf, type Implementation, type Overload } from "../check/functions.ts";

/** An IPv4 or IPv6 address. */
export class IpValue extends Opaque {
  readonly typeName: string = "net.IP";
  readonly bits: 32 | 128;
  readonly address: bigint;
  constructor(bits: 32 | 128, address: bigint) {
    super();
    this.bits = bits;
    this.address = address;
  }
  override get size(): number {
    return this.bits / 8;
  }
  equals(other: Opaque): boolean {
    return this.bits === (other as IpValue).bits && this.address === (other as IpValue).address;
  }
  override toString(): string {
    return this.bits === 32 ? formatV4(this.address) : formatV6(this.address);
  }
}

/** Reads an address as Go's netip.ParseAddr does; Kubernetes refuses zones and IPv4 within IPv6. */
export function parseIp(text: string): IpValue | CelError {
  const fault = (why: string): CelError =>
    new CelError(`IP Address ${JSON.stringify(text.slice(0, 60))} parse error during conversion from string: ${why}`);
  if (!text.includes(":")) {
    const address = parseV4(text);
    return address === undefined ? fault("four numbers from 0 to 255 are expected") : new IpValue(32, address);
  }
  if (text.includes("%")) return new CelError(`IP address ${JSON.stringify(text.slice(0, 60))} with zone value is not allowed`);
  const address = parseV6(text);
  if (address === undefined) return fault("this is no IPv6 address");
  if (address >> 32n === 0xffffn) return new CelError(`IPv4-mapped IPv6 address ${JSON.stringify(text)} is not allowed`);
  return new IpValue(128, address);
}

function parseV4(text: string): bigint | undefined {
  if (!/^(?:(?:0|[1-9]\d{0,2})\.){3}(?:0|[1-9]\d{0,2})$/.test(text)) return undefined;
  const parts = text.split(".").map(Number);
  return parts.every((part) => part < 256) ? parts.reduce((address, part) => (address << 8n) | BigInt(part), 0n) : undefined;
}

function parseV6(text: string): bigint | undefined {
  if (text.length > 45) return undefined;
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (dotted) {
    const last = parseV4(dotted[2]!);
    return last === undefined ? undefined : parseV6(`${dotted[1]}${(last >> 16n).toString(16)}:${(last & 0xffffn).toString(16)}`);
  }
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === "" ? [] : half.split(":")));
  const count = groups.reduce((sum, half) => sum + half.length, 0);
  if (groups.flat().some((group) => !/^[0-9A-Fa-f]{1,4}$/.test(group)) || (halves.length === 2 ? count > 7 : count !== 8)) return undefined;
  const filled = halves.length === 2 ? [...groups[0]!, ...Array.from({ length: 8 - count }, () => "0"), ...groups[1]!] : groups[0]!;
  return filled.reduce((address, group) => (address << 16n) | BigInt(`0x${group}`), 0n);
}

const formatV4 = (address: bigint): string => [24n, 16n, 8n, 0n].map((shift) => (address >> shift) & 255n).join(".");

/** RFC 5952: the longest run of zeros, from two on, is left out. */
function formatV6(address: bigint): string {
  const groups = Array.from({ length: 8 }, (_, i) => ((address >> BigInt(112 - 16 * i)) & 0xffffn).toString(16));
  let best = { start: 0, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (groups[start + length] === "0") length++;
    if (length > best.length) best = { start, length };
  }
  if (best.length < 2) return groups.join(":");
  return `${groups.slice(0, best.start).join(":")}::${groups.slice(best.start + best.length).join(":")}`;
}

const test =
  (v4: (address: bigint) => boolean, v6: (address: bigint) => boolean): Implementation =>
  ([ip]) => {
    const { bits, address } = ip as IpValue;
    return bits === 32 ? v4(address) : v6(address);
  };

const isLoopback = test(
  (a) => a >> 24n === 127n,
  (a) => a === 1n,
);
const isLinkLocalUnicast = test(
  (a) => a >> 16n === 0xa9fen,
  (a) => a >> 118n === 0x3fan,
);
const isLinkLocalMulticast = test(
  (a) => a >> 8n === 0xe00000n,
  (a) => ((a >> 112n) & 0xff0fn) === 0xff02n && a >> 120n === 0xffn,
);
const isMulticast = test(
  (a) => a >> 28n === 14n,
  (a) => a >> 120n === 0xffn,
);
const isUnspecified = test(
  (a) => a === 0n,
  (a) => a === 0n,
);
const isBroadcast = test(
  (a) => a === 0xffffffffn,
  () => false,
);

/** Go counts private addresses as global, but not those of the local network or of all hosts. */
const isGlobalUnicast: Implementation = (args, context) =>
  ![isLoopback, isLinkLocalUnicast, isMulticast, isUnspecified, isBroadcast].some((is) => is(args, context) === true);

/** Kubernetes' IP library. */
export const ipFunctions = (): Overload[] =>
  overloadsOf([
    ["string_to_ip", "ip(string) -> net.IP", ([text]) => parseIp(text as string)],
    ["is_ip", "isIP(string) -> bool", ([text]) => parseIp(text as string) instanceof IpValue],
    [
      "ip_is_canonical",
      "ip.isCanonical(string) -> bool",
      ([text]) => {
        const ip = parseIp(text as string);
        return ip instanceof CelError ? ip : ip.toString() === text;
      },
    ],
    ["ip_to_string", "string(net.IP) -> string", ([ip]) => String(ip)],
    ["ip_family", "<net.IP>.family() -> int", ([ip]) => ((ip as IpValue).bits === 32 ? 4 : 6)],
    ["ip_is_unspecified", "<net.IP>.isUnspecified() -> bool", isUnspecified],
    ["ip_is_loopback", "<net.IP>.isLoopback() -> bool", isLoopback],
    ["ip_is_link_local_multicast", "<net.IP>.isLinkLocalMulticast() -> bool", isLinkLocalMulticast],
    ["ip_is_link_local_unicast", "<net.IP>.isLinkLocalUnicast() -> bool", isLinkLocalUnicast],
    ["ip_is_global_unicast", "<net.IP>.isGlobalUnicast() -> bool", isGlobalUnicast],
  ]);
