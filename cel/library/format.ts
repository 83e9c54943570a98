import { Opaque, Optional, none, type Value } from "../values/values.ts";
import { CelError } from "../values/values.ts";
import { parseTimestamp } from "../values/time.ts";
import { ownTable } from "../values/own-table.ts";
import { overloadsOf, type FunctionTable, type Overload } from "../check/functions.ts";
import { parseUrl } from "./url-parse.ts";

/** A named format: what a text must look like to be a DNS label, a UUID and so on. */
export class NamedFormat extends Opaque {
  readonly typeName = "kubernetes.NamedFormat";
  readonly name: string;
  /** The length of its regular expression, or about: what validating costs by. */
  readonly regexSize: number;
  readonly faults: (text: string) => readonly string[];
  constructor(name: string, regexSize: number, faults: (text: string) => readonly string[]) {
    super();
    this.name = name;
    this.regexSize = regexSize;
    this.faults = faults;
  }
  equals(other: Opaque): boolean {
    return this === other;
  }
  override toString(): string {
    return this.name;
  }
}

// Patterns and messages of Kubernetes: apimachinery pkg/util/validation and pkg/api/validate/content.
const label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const subdomain = `${label}(\\.${label})*`;
const label1035 = "[a-z]([-a-z0-9]*[a-z0-9])?";
const key = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const alphanumeric = "must start and end with an alphanumeric character";
const messages = {
  label: `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and ${alphanumeric}`,
  subdomain: `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and ${alphanumeric}`,
  label1035:
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  key: `must consist of alphanumeric characters, '-', '_' or '.', and ${alphanumeric}`,
  value: `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and ${alphanumeric}`,
};

const isWhole = (pattern: string, text: string): boolean => new RegExp(`^(?:${pattern})$`).test(text);
const tooLong = (text: string, limit: number, unit = "characters"): string[] =>
  new TextEncoder().encode(text).length > limit ? [`must be no more than ${limit} ${unit}`] : [];
const mismatch = (message: string, pattern: string, ...examples: string[]): string =>
  `${message} (e.g. ${examples.map((example) => `'${example}', `).join(" or ")}regex used for validation is '${pattern}')`;

/** A name may begin one that Kubernetes completes: then it may end in a hyphen. */
const prefixed = (text: string): string => (text.length > 1 && text.endsWith("-") ? `${text.slice(0, -2)}a` : text);

function labelFaults(text: string): string[] {
  const long = tooLong(text, 63);
  if (isWhole(label, text)) return long;
  return [...long, isWhole(subdomain, text) ? "must not contain dots" : mismatch(messages.label, label, "my-name", "123-abc")];
}

const subdomainFaults = (text: string, unit = "characters"): string[] => [
  ...tooLong(text, 253, unit),
  ...(isWhole(subdomain, text) ? [] : [mismatch(messages.subdomain, subdomain, "example.com")]),
];
const label1035Faults = (text: string): string[] => [
  ...tooLong(text, 63),
  ...(isWhole(label1035, text) ? [] : [mismatch(messages.label1035, label1035, "my-name", "abc-123")]),
];

function qualifiedNameFaults(text: string): string[] {
  const parts = text.split("/");
  const example = mismatch(messages.key, key, "MyName", "my.name", "123-abc");
  if (parts.length > 2) return [`a valid label key ${example} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  const name = parts.at(-1)!;
  const prefix = parts.length === 2 ? parts[0]! : undefined;
  const prefixFaults = prefix === undefined ? [] : prefix === "" ? ["must be non-empty"] : subdomainFaults(prefix, "bytes");
  const nameFaults = name === "" ? ["must be non-empty"] : tooLong(name, 63, "bytes");
  return [
    ...prefixFaults.map((fault) => `prefix part ${fault}`),
    ...[...nameFaults, ...(isWhole(key, name) ? [] : [example])].map((fault) => `name part ${fault}`),
  ];
}

const labelValueFaults = (text: string): string[] => [
  ...tooLong(text, 63, "bytes"),
  ...(isWhole(`(${key})?`, text) ? [] : [mismatch(messages.value, `(${key})?`, "MyValue", "my_value", "12345")]),
];

const isDate = (text: string): boolean => /^\d{4}-\d\d-\d\d$/.test(text) && !(parseTimestamp(`${text}T00:00:00Z`) instanceof CelError);
const isBase64 = (text: string): boolean =>
  text !== "" && text.length % 4 === 0 && /^[A-Za-z0-9+/]*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text);

function isDateTime(text: string): boolean {
  const [date, time = ""] = text.toLowerCase().split("t");
  const parts = /^(\d\d):(\d\d):(\d\d)(?:.\d+)?(?:z|[+-]\d\d:\d\d)$/.exec(time);
  return isDate(date!) && parts !== null && parts[1]! <= "23" && parts[2]! <= "59" && parts[3]! <= "59";
}

const unless =
  (test: (text: string) => boolean, message: string) =>
  (text: string): string[] =>
    test(text) ? [] : [message];
const isUuid = (text: string): boolean => /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i.test(text);

function uriFaults(text: string): string[] {
  const url = parseUrl(text);
  return typeof url === "string" ? [url] : [];
}

const formats = ownTable<NamedFormat>({
  dns1123Label: new NamedFormat("DNS1123Label", 30, labelFaults),
  dns1123Subdomain: new NamedFormat("DNS1123Subdomain", 60, (text) => subdomainFaults(text)),
  dns1035Label: new NamedFormat("DNS1035Label", 30, label1035Faults),
  qualifiedName: new NamedFormat("QualifiedName", 60, qualifiedNameFaults),
  dns1123LabelPrefix: new NamedFormat("DNS1123LabelPrefix", 30, (text) => labelFaults(prefixed(text))),
  dns1123SubdomainPrefix: new NamedFormat("DNS1123SubdomainPrefix", 60, (text) => subdomainFaults(prefixed(text))),
  dns1035LabelPrefix: new NamedFormat("DNS1035LabelPrefix", 30, (text) => label1035Faults(prefixed(text))),
  labelValue: new NamedFormat("LabelValue", 40, labelValueFaults),
  uri: new NamedFormat("URI", 1103, uriFaults),
  uuid: new NamedFormat("uuid", 70, unless(isUuid, "does not match the UUID format")),
  byte: new NamedFormat("byte", 84, unless(isBase64, "invalid base64")),
  date: new NamedFormat("date", 71, unless(isDate, "invalid date")),
  datetime: new NamedFormat("datetime", 71, unless(isDateTime, "invalid datetime")),
});

const type = "kubernetes.NamedFormat";

function validate([format, text]: readonly Value[]): Value {
  const faults = (format as NamedFormat).faults(text as string);
  return faults.length === 0 ? none : new Optional([...faults]);
}

/** Kubernetes' format library: format.dns1123Label() and the like, and format.named(). */
export const formatFunctions = (): Overload[] =>
  overloadsOf([
    ...Object.entries(formats).map(
      ([name, format]) => [`format.${name}`, `format.${name}() -> ${type}`, () => format] as FunctionTable[number],
    ),
    [
      "format-named",
      `format.named(string) -> optional_type(${type})`,
      ([name]) => ((name as string) in formats ? new Optional(formats[name as string]!) : none),
    ],
    ["format-validate", `<${type}>.validate(string) -> optional_type(list(string))`, validate],
  ]);
