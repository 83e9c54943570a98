/** The parts of a URL that Kubernetes' library asks for. */
export interface UrlParts {
  scheme: string;
  host: string;
  escapedPath: string;
  query: string;
}

/**
 * Parses an absolute URL, or a path that begins with a slash, as Go's url.ParseRequestURI and url.Parse do together. Gives what is wrong
 * as text otherwise.
 */
export function parseUrl(text: string): UrlParts | string {
  const fault = (message: string): string => `parse ${JSON.stringify(text)}: ${message}`;
  // oxlint-disable-next-line no-control-regex -- Go refuses them
  if (/[\u0000-\u001f\u007f]/.test(text)) return fault("net/url: invalid control character in URL");
  if (text === "") return fault("empty url");
  if (text === "*") return { scheme: "", host: "", escapedPath: "*", query: "" };
  if (text.startsWith(":")) return fault("missing protocol scheme");
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text)?.[1] ?? "";
  const afterScheme = text.slice(scheme === "" ? 0 : scheme.length + 1);
  const fragment = afterScheme.indexOf("#");
  const rest = fragment < 0 ? afterScheme : afterScheme.slice(0, fragment);
  if (badEscape(rest.split("?")[0]!)) return fault(`invalid URL escape ${JSON.stringify(badEscape(rest)!)}`);
  if (fragment >= 0 && badEscape(afterScheme.slice(fragment))) return fault("invalid URL escape");
  const mark = rest.indexOf("?");
  const beforeQuery = mark < 0 ? rest : rest.slice(0, mark);
  const query = mark < 0 ? "" : rest.slice(mark + 1);
  if (!beforeQuery.startsWith("/")) {
    if (scheme === "") return fault("invalid URI for request");
    return { scheme: scheme.toLowerCase(), host: "", escapedPath: "", query };
  }
  // Without a scheme, ParseRequestURI takes everything for a path, but Parse sees an authority in //host/path.
  const hasAuthority = beforeQuery.startsWith("//") && (scheme !== "" || !beforeQuery.startsWith("///"));
  if (!hasAuthority) return { scheme: scheme.toLowerCase(), host: "", escapedPath: escapePath(beforeQuery), query };
  const slash = beforeQuery.indexOf("/", 2);
  const host = parseAuthority(beforeQuery.slice(2, slash < 0 ? undefined : slash));
  if (typeof host !== "object") return fault(host);
  return { scheme: scheme.toLowerCase(), host: host.host, escapedPath: slash < 0 ? "" : escapePath(beforeQuery.slice(slash)), query };
}

/** Percent escapes undone, and + for space; undefined if an escape is malformed. */
export function unescapeQuery(text: string): string | undefined {
  return badEscape(text) ? undefined : decodeEscapes(text.replaceAll("+", " "));
}

const badEscape = (text: string): string | undefined => /%(?![0-9A-Fa-f]{2}).{0,2}/.exec(text)?.[0];

function decodeEscapes(text: string): string {
  return text.replaceAll(/(?:%[0-9A-Fa-f]{2})+/g, (run) =>
    new TextDecoder().decode(Uint8Array.from(run.slice(1).split("%"), (hex) => Number.parseInt(hex, 16))),
  );
}

function parseAuthority(authority: string): { host: string } | string {
  const at = authority.lastIndexOf("@");
  const user = authority.slice(0, Math.max(at, 0));
  if (!/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(user) || badEscape(user)) return "net/url: invalid userinfo";
  const host = authority.slice(at + 1);
  if (host.startsWith("[")) {
    const close = host.lastIndexOf("]");
    if (close < 0) return "missing ']' in host";
    if (!/^(?::\d*)?$/.test(host.slice(close + 1))) return `invalid port ${JSON.stringify(host.slice(close + 1))} after host`;
    if (!/^[0-9A-Fa-f:.]*(?:%25.*)?$/.test(host.slice(1, close))) return "invalid host";
    return { host: host.replace("%25", "%") };
  }
  const colon = host.lastIndexOf(":");
  if (colon >= 0 && !/^:\d*$/.test(host.slice(colon))) return `invalid port ${JSON.stringify(host.slice(colon))} after host`;
  if (/%(?!25|[89A-Fa-f][0-9A-Fa-f])/.test(host)) return "invalid URL escape in host";
  const forbidden = /[^A-Za-z0-9\-_.~!$&'()*+,;=:[\]<>"%\u0080-\uffff]/.exec(host);
  return forbidden ? `invalid character ${JSON.stringify(forbidden[0])} in host name` : { host: decodeEscapes(host) };
}

/** The path as written if it is properly escaped, else escaped. */
function escapePath(path: string): string {
  if (/^(?:[A-Za-z0-9\-_.~$&+,/:;=@!'()*[\]]|%[0-9A-Fa-f]{2})*$/.test(path)) return path;
  return decodeEscapes(path).replaceAll(/[^A-Za-z0-9\-_.~$&+,/:;=@]/gu, (char) =>
    Array.from(new TextEncoder().encode(char), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""),
  );
}
