import { connect } from "node:net";
import { http } from "../light.ts";
import type { Probe } from "./manifest.ts";

/** Asks a service once. Gives undefined when it is well, else why not. Source: Kubernetes, "Configure Probes": 200 to 399 is success. */
export function ask(port: number, probe: Pick<Probe, "path" | "timeoutSeconds">): Promise<string | undefined> {
  return probe.path === undefined ? askPort(port, probe.timeoutSeconds) : askPath(port, probe.path, probe.timeoutSeconds);
}

function askPath(port: number, path: string, timeoutSeconds: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = http.get(
      { host: "127.0.0.1", port, path, agent: false, headers: { "user-agent": "cairn-probe", connection: "close" } },
      (response) => {
        clearTimeout(timer);
        const status = response.statusCode ?? 0;
        response.destroy();
        resolve(status >= 200 && status < 400 ? undefined : `${path} answered ${status}`);
      },
    );
    const timer = setTimeout(() => request.destroy(new Error(`no answer within ${timeoutSeconds} s`)), timeoutSeconds * 1000);
    request.once("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      resolve(`${path}: ${error.code === "ECONNREFUSED" ? `nothing listens on port ${port}` : error.message}`);
    });
  });
}

function askPort(port: number, timeoutSeconds: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    const end = (because: string | undefined) => {
      socket.destroy();
      resolve(because);
    };
    socket.setTimeout(timeoutSeconds * 1000, () => end(`port ${port} does not answer`));
    socket.once("connect", () => end(undefined));
    socket.once("error", () => end(`nothing listens on port ${port}`));
  });
}
