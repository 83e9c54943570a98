import { CelError, Opaque, type Value } from "../values/values.ts";
import { overloadsOf, type Overload } from "../check/functions.ts";
import { IpValue, parseIp } from "./ip.ts";

/** A network: an address, and how many of its bits name the network. */
export class CidrValue extends Opaque {
  readonly typeName = "net.CIDR";
  readonly ip: IpValue;
  readonly prefix: number;
  constructor(ip: IpValue, prefix: number) {
    super();
    this.ip = ip;
    this.prefix = prefix;
  }
  override get size(): number {
    return Math.ceil(this.prefix / 8);
  }
  equals(other: Opaque): boolean {
    return this.ip.equals((other as CidrValue).ip) && this.prefix === (other as CidrValue).prefix;
  }
  override toString(): string {
    return `${this.ip.toString()}/${this.prefix}`;
  }
  network(prefix = this.prefix): bigint {
    return this.ip.address >> BigInt(this.ip.bits - prefix);
  }
  holds(ip: IpValue): boolean {
    return ip.bits === this.ip.bits && ip.address >> BigInt(ip.bits - this.prefix) === this.network();
  }
}

function parseCidr(text: string): CidrValue | CelError {
  const fault = new CelError(`network address parse error during conversion from string: ${JSON.stringify(text.slice(0, 60))}`);
  const slash = text.lastIndexOf("/");
  const bits = text.slice(slash + 1);
  if (slash < 0 || !/^(?:0|[1-9]\d{0,2})$/.test(bits)) return fault;
  const ip = parseIp(text.slice(0, slash));
  if (ip instanceof CelError) return ip;
  return Number(bits) <= ip.bits ? new CidrValue(ip, Number(bits)) : fault;
}

const cidr = (value: Value | undefined): CidrValue => value as CidrValue;
const contains = (outer: CidrValue, inner: CidrValue): boolean => outer.holds(inner.ip) && outer.prefix <= inner.prefix;
const masked = ({ ip, prefix }: CidrValue): CidrValue =>
  new CidrValue(new IpValue(ip.bits, (ip.address >> BigInt(ip.bits - prefix)) << BigInt(ip.bits - prefix)), prefix);

/** Kubernetes' CIDR library. */
export const cidrFunctions = (): Overload[] =>
  overloadsOf([
    ["string_to_cidr", "cidr(string) -> net.CIDR", ([text]) => parseCidr(text as string)],
    ["is_cidr", "isCIDR(string) -> bool", ([text]) => parseCidr(text as string) instanceof CidrValue],
    ["cidr_to_string", "string(net.CIDR) -> string", ([value]) => String(value)],
    ["cidr_contains_ip_ip", "<net.CIDR>.containsIP(net.IP) -> bool", ([value, ip]) => cidr(value).holds(ip as IpValue)],
    [
      "cidr_contains_ip_string",
      "<net.CIDR>.containsIP(string) -> bool",
      ([value, text]) => {
        const ip = parseIp(text as string);
        return ip instanceof CelError ? ip : cidr(value).holds(ip);
      },
    ],
    ["cidr_contains_cidr", "<net.CIDR>.containsCIDR(net.CIDR) -> bool", ([value, other]) => contains(cidr(value), cidr(other))],
    [
      "cidr_contains_cidr_string",
      "<net.CIDR>.containsCIDR(string) -> bool",
      ([value, text]) => {
        const other = parseCidr(text as string);
        return other instanceof CelError ? other : contains(cidr(value), other);
      },
    ],
    ["cidr_ip", "<net.CIDR>.ip() -> net.IP", ([value]) => cidr(value).ip],
    ["cidr_masked", "<net.CIDR>.masked() -> net.CIDR", ([value]) => masked(cidr(value))],
    ["cidr_prefix_length", "<net.CIDR>.prefixLength() -> int", ([value]) => cidr(value).prefix],
  ]);
