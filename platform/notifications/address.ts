import { BlockList, isIP } from "node:net";
import { addressRefused, webhookUrlRefused } from "./faults.ts";

const of = (...ranges: readonly (readonly [string, number, "ipv4" | "ipv6"])[]): BlockList => {
  const list = new BlockList();
  for (const [net, prefix, family] of ranges) list.addSubnet(net, prefix, family);
  return list;
};

const LOOPBACK = of(["127.0.0.0", 8, "ipv4"], ["::1", 128, "ipv6"]);

/** What the registries of special-purpose addresses (IANA, RFC 6890) do not call globally reachable. */
const SPECIAL = of(
  ["0.0.0.0", 8, "ipv4"],
  ["10.0.0.0", 8, "ipv4"],
  ["100.64.0.0", 10, "ipv4"],
  ["127.0.0.0", 8, "ipv4"],
  ["169.254.0.0", 16, "ipv4"],
  ["172.16.0.0", 12, "ipv4"],
  ["192.0.0.0", 24, "ipv4"],
  ["192.0.2.0", 24, "ipv4"],
  ["192.88.99.0", 24, "ipv4"],
  ["192.168.0.0", 16, "ipv4"],
  ["198.18.0.0", 15, "ipv4"],
  ["198.51.100.0", 24, "ipv4"],
  ["203.0.113.0", 24, "ipv4"],
  ["224.0.0.0", 4, "ipv4"],
  ["240.0.0.0", 4, "ipv4"],
);

/** Of IPv6 only global unicast is called, without what leads back to IPv4 addresses (6to4, Teredo) or to documentation. */
const GLOBAL6 = of(["2000::", 3, "ipv6"]);
const SPECIAL6 = of(["2001::", 23, "ipv6"], ["2001:db8::", 32, "ipv6"], ["2002::", 16, "ipv6"], ["3fff::", 20, "ipv6"]);

/** Why no webhook may be sent to an address; undefined where it may. */
export function objectionTo(address: string, thisMachine: boolean): string | undefined {
  const plain = mapped(address);
  const family = isIP(plain);
  if (family === 0) return "no address";
  const kind = family === 4 ? "ipv4" : "ipv6";
  if (LOOPBACK.check(plain, kind)) return thisMachine ? undefined : "this very machine";
  const reachable = family === 4 ? !SPECIAL.check(plain, kind) : GLOBAL6.check(plain, kind) && !SPECIAL6.check(plain, kind);
  return reachable ? undefined : "not a public address";
}

/** The IPv4 address that an IPv6 address of the form ::ffff:0:0/96 stands for. */
function mapped(address: string): string {
  const dotted = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (dotted) return dotted[1] ?? address;
  const hex = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(address);
  if (!hex) return address;
  const [high, low] = [Number.parseInt(hex[1] ?? "", 16), Number.parseInt(hex[2] ?? "", 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

/** The host of an address as sockets take it. */
export const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, "");

/** Throws `notifications.webhook_url` where an address can't be a webhook whatever its name resolves to, `notifications.address_refused` where it names an address outright. */
export function checkedUrl(text: string, thisMachine: boolean): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    throw webhookUrlRefused(text, "it is no http address", "Write it like https://example.com/hooks.");
  if (url.username !== "" || url.password !== "")
    throw webhookUrlRefused(url.host, "it carries a password", "Leave it out: the signature says who sends.");
  if (url.hash !== "") throw webhookUrlRefused(text, "it has a fragment, which is never sent", "Leave out what stands after #.");
  if (url.protocol === "http:" && !thisMachine)
    throw webhookUrlRefused(text, "it is not encrypted", "Use https; http is for a receiver on this very machine (--this-machine).");
  const host = hostOf(url);
  const because = isIP(host) ? objectionTo(host, thisMachine) : undefined;
  if (because !== undefined) throw addressRefused(host, host, because);
  return url;
}
