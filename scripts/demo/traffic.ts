import { Agent, request } from "node:http";

export interface Count {
  requests: number;
  /** Answers of 500 and above. */
  failures: number;
}

/** What a client saw, by the digest that the proxy says has served. */
export interface Seen {
  byDigest: Map<string, Count>;
  /** Connections that were refused, cut or gave no answer. */
  dropped: string[];
}

export interface Traffic {
  seen: Seen;
  /** Waits for the requests under way, and ends. */
  stop(): Promise<Seen>;
}

/** Sends GET requests to `url`, evenly, until it is stopped. */
export function sendTraffic(url: string, perSecond: number): Traffic {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const seen: Seen = { byDigest: new Map(), dropped: [] };
  const underWay = new Set<Promise<void>>();
  const started = performance.now();
  let sent = 0;
  // Each tick sends what is due, so that a late timer does not lower the rate.
  const timer = setInterval(() => {
    for (const due = ((performance.now() - started) / 1000) * perSecond; sent < due; sent++) {
      const one = once(url, agent, seen).finally(() => underWay.delete(one));
      underWay.add(one);
    }
  }, 5);
  return {
    seen,
    async stop() {
      clearInterval(timer);
      await Promise.all(underWay);
      agent.destroy();
      return seen;
    },
  };
}

function once(url: string, agent: Agent, seen: Seen): Promise<void> {
  return new Promise((resolve) => {
    const sending = request(url, { agent, timeout: 10_000 }, (response) => {
      const digest = String(response.headers["x-cairn-digest"] ?? "no digest");
      response.resume();
      response.once("end", () => {
        const count = seen.byDigest.get(digest) ?? { requests: 0, failures: 0 };
        seen.byDigest.set(digest, {
          requests: count.requests + 1,
          failures: count.failures + ((response.statusCode ?? 500) >= 500 ? 1 : 0),
        });
        resolve();
      });
      response.once("error", (error) => {
        seen.dropped.push(error.message);
        resolve();
      });
    });
    sending.once("timeout", () => sending.destroy(new Error("no answer within 10 s")));
    sending.once("error", (error) => {
      seen.dropped.push(error.message);
      resolve();
    });
    sending.end();
  });
}
