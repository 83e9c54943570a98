import { lookup } from "node:dns/promises";
import type { LookupFunction } from "node:net";
import { Agent, request } from "undici";
import { isFault, messageOf } from "../kernel/faults.ts";
import { checkedUrl, hostOf, objectionTo } from "./address.ts";
import { addressRefused } from "./faults.ts";

/** The addresses of a host. */
export type Resolve = (host: string) => Promise<readonly { address: string; family: number }[]>;

/** What became of one attempt. `gone`: the receiver wants nothing any more. */
export interface Sent {
  status: number | null;
  detail: string;
  outcome: "delivered" | "failed" | "gone";
}

const ANSWER_SECONDS = 15;
const resolveByDns: Resolve = (host) => lookup(host, { all: true });

/**
 * Posts a message once. The address is checked when the socket is opened, and the socket goes to the address that was checked: a name that resolves to another
 * one afterwards leads nowhere else. Redirects are not followed. Throws nothing: what went wrong is the outcome.
 */
export async function post(
  to: { url: string; thisMachine: boolean },
  message: { headers: Record<string, string>; body: string },
  options: { signal?: AbortSignal; resolve?: Resolve } = {},
): Promise<Sent> {
  const { resolve = resolveByDns } = options;
  let refused: Error | undefined;
  const guarded: LookupFunction = (host, { all }, give) => {
    resolve(host)
      .then((addresses) => {
        for (const { address } of addresses) {
          const because = objectionTo(address, to.thisMachine);
          if (because !== undefined) throw addressRefused(host, address, because);
        }
        const [first] = addresses;
        if (!first) throw new Error(`${host} has no address`);
        if (all) give(null, [...addresses]);
        else give(null, first.address, first.family);
      })
      .catch((error: Error) => {
        refused = error;
        give(error, "", 0);
      });
  };
  const agent = new Agent({ connect: { lookup: guarded, timeout: 10_000 }, pipelining: 0 });
  try {
    const url = checkedUrl(to.url, to.thisMachine);
    const limit = AbortSignal.timeout(ANSWER_SECONDS * 1000);
    const { statusCode, body } = await request(url, {
      method: "POST",
      dispatcher: agent,
      headers: { "content-type": "application/json", "user-agent": "Cairn webhooks", host: url.host, ...message.headers },
      body: message.body,
      signal: options.signal ? AbortSignal.any([options.signal, limit]) : limit,
      headersTimeout: ANSWER_SECONDS * 1000,
      bodyTimeout: ANSWER_SECONDS * 1000,
    });
    await body.dump({ limit: 64 * 1024 });
    if (statusCode >= 200 && statusCode < 300) return { status: statusCode, detail: "taken", outcome: "delivered" };
    if (statusCode === 410) return { status: statusCode, detail: "the receiver wants no more of it", outcome: "gone" };
    const detail = statusCode < 400 ? "answered with a redirect, which is not followed" : `${hostOf(url)} answered ${statusCode}`;
    return { status: statusCode, detail, outcome: "failed" };
  } catch (error) {
    const cause = refused ?? error;
    return { status: null, detail: isFault(cause) ? cause.message : `no answer: ${messageOf(cause)}`, outcome: "failed" };
  } finally {
    await agent.destroy();
  }
}
