import { Agent, request } from "node:http";

export interface Seen {
  /** Milliseconds from asking to the answer's last byte, of those that answered 200. */
  latencies: number[];
  /** All that did not answer 200. */
  failures: string[];
}

export interface Load {
  seen: Seen;
  /** Waits for what is under way, and ends. */
  stop(): Promise<Seen>;
}

type Manner = "kept connection" | "new connection" | "with a body";

/** Clients that ask one request after the other. `pauseMs` between two of a client's, so that the machine has time for what is measured under them. */
export function startLoad(url: string, clients: readonly Manner[], pauseMs = 0): Load {
  const seen: Seen = { latencies: [], failures: [] };
  let stopped = false;
  const client = async (manner: Manner): Promise<void> => {
    const agent = new Agent({ keepAlive: manner !== "new connection", maxSockets: 1 });
    while (!stopped) {
      const startedAt = performance.now();
      const failure = await ask(url, agent, manner === "with a body");
      if (failure === undefined) seen.latencies.push(performance.now() - startedAt);
      else seen.failures.push(failure);
      if (pauseMs > 0) await new Promise((wake) => setTimeout(wake, pauseMs));
    }
    agent.destroy();
  };
  const all = clients.map(client);
  return {
    seen,
    async stop() {
      stopped = true;
      await Promise.all(all);
      return seen;
    },
  };
}

/** Clients of every kind, all at once: most keep their connections, some open one for each request, some send a body. */
export const mixed = (count: number): Manner[] =>
  Array.from({ length: count }, (_, n) => (n % 4 === 1 ? "new connection" : n % 4 === 3 ? "with a body" : "kept connection"));

function ask(url: string, agent: Agent, withBody: boolean): Promise<string | undefined> {
  return new Promise((resolve) => {
    const sending = request(url, { agent, method: withBody ? "POST" : "GET" }, (response) => {
      response.resume();
      response.once("end", () => resolve(response.statusCode === 200 ? undefined : `status ${response.statusCode}`));
      response.once("error", (error) => resolve(error.message));
    });
    sending.setTimeout(15_000, () => sending.destroy(new Error("no answer within 15 s")));
    sending.once("error", (error) => resolve(error.message));
    sending.end(withBody ? '{"name":"of the bench"}' : undefined);
  });
}
