import { CelError, Opaque, type Value } from "../values/values.ts";
import { CelMap } from "../values/maps.ts";
import { overloadsOf, type Overload } from "../check/functions.ts";
import { parseUrl, unescapeQuery, type UrlParts } from "./url-parse.ts";

/** A URL as Go's net/url has it. */
export class UrlValue extends Opaque {
  readonly typeName = "kubernetes.URL";
  readonly parts: UrlParts;
  readonly text: string;
  constructor(text: string, parts: UrlParts) {
    super();
    this.text = text;
    this.parts = parts;
  }
  equals(other: Opaque): boolean {
    return this.toString() === other.toString();
  }
  override toString(): string {
    return this.text.replace(/^[A-Za-z][A-Za-z0-9+.-]*:/, (scheme) => scheme.toLowerCase());
  }
}

const part =
  (read: (parts: UrlParts) => string) =>
  ([url]: readonly Value[]): Value =>
    read((url as UrlValue).parts);

function query({ query: text }: UrlParts): Value {
  const lists = new Map<string, string[]>();
  for (const pair of text.split("&")) {
    if (pair === "" || pair.includes(";")) continue;
    const cut = pair.indexOf("=");
    const key = unescapeQuery(cut < 0 ? pair : pair.slice(0, cut));
    const value = unescapeQuery(cut < 0 ? "" : pair.slice(cut + 1));
    if (key === undefined || value === undefined) continue;
    const values = lists.get(key);
    if (values) values.push(value);
    else lists.set(key, [value]);
  }
  const map = new CelMap();
  for (const [key, values] of lists) map.add(key, values);
  return map;
}

function toUrl([text]: readonly Value[]): Value {
  const parts = parseUrl(text as string);
  return typeof parts === "string"
    ? new CelError(`URL parse error during conversion from string: ${parts}`)
    : new UrlValue(text as string, parts);
}

/** Kubernetes' URL library. */
export const urlFunctions = (): Overload[] =>
  overloadsOf([
    ["string_to_url", "url(string) -> kubernetes.URL", toUrl],
    ["is_url_string", "isURL(string) -> bool", ([text]) => typeof parseUrl(text as string) !== "string"],
    ["url_get_scheme", "<kubernetes.URL>.getScheme() -> string", part(({ scheme }) => scheme)],
    ["url_get_host", "<kubernetes.URL>.getHost() -> string", part(({ host }) => host)],
    [
      "url_get_hostname",
      "<kubernetes.URL>.getHostname() -> string",
      part(({ host }) => /^\[(.*)\](?::\d*)?$/.exec(host)?.[1] ?? host.replace(/:\d*$/, "")),
    ],
    ["url_get_port", "<kubernetes.URL>.getPort() -> string", part(({ host }) => /:(\d*)$/.exec(host.replace(/^\[.*\]/, ""))?.[1] ?? "")],
    ["url_get_escaped_path", "<kubernetes.URL>.getEscapedPath() -> string", part(({ escapedPath }) => escapedPath)],
    ["url_get_query", "<kubernetes.URL>.getQuery() -> map(string, list(string))", ([url]) => query((url as UrlValue).parts)],
  ]);
