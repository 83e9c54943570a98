import type { Server } from "node:http";
import { Server as NetServer } from "node:net";
import { http } from "../light.ts";
import { forward, problem, type Route } from "./forward.ts";
import { refusalOf } from "./headers.ts";
import type { Upgrades } from "./upgrade.ts";

/** Opens a stable address on 127.0.0.1: on its port, or on a socket that was kept open over the agent's end. Throws what the system says, e.g. EADDRINUSE. */
export function openFront(options: {
  route: Route;
  upgrades: Upgrades;
  port: number;
  fd?: number | undefined;
  headersSeconds?: number;
  mostConnections?: number;
}): Promise<Server> {
  const { route, upgrades, headersSeconds = HEADERS_SECONDS, mostConnections = MOST_CONNECTIONS } = options;
  const server = http.createServer(
    {
      keepAliveTimeout: 75_000,
      optimizeEmptyRequests: true, // most have no body: that saves a stream each, a tenth of the processor's time
      requestTimeout: 0, // a large upload takes its time; one that does not move is ended by SlowClients
      headersTimeout: headersSeconds * 1000,
      connectionsCheckingInterval: Math.min(2000, headersSeconds * 250),
      shouldUpgradeCallback: (request) => request.headers.upgrade?.toLowerCase() === "websocket",
    },
    (request, response) => {
      const refusal = refusalOf(request);
      if (refusal === undefined) {
        route.callers.count(request.socket);
        forward(route, request, response);
      } else problem(response, 400, "proxy.request_refused", refusal, "Correct the request and send it again.", { connection: "close" });
    },
  );
  server.maxConnections = mostConnections;
  server.on("connection", (socket) => route.callers.connected(socket));
  server.on("upgrade", (request, socket, head) => {
    route.callers.count(request.socket);
    if (refusalOf(request) === undefined) upgrades.forward(route, request, socket, head);
    else socket.end("HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => (server.off("error", reject), resolve(server)));
    server.listen(options.fd === undefined ? { host: "127.0.0.1", port: options.port, backlog: 1024 } : { fd: options.fd });
  });
}

/** A head comes at once, or somebody only holds the connection. */
const HEADERS_SECONDS = 15;
/** Of one address: what is above is closed at once, so that one service's clients leave file descriptors for the others'. */
const MOST_CONNECTIONS = 4096;

/**
 * Stops accepting and lets go of the connections as they fall idle, at the latest after `deadlineSeconds`. Of http.Server's own close() it keeps away:
 * that cuts idle connections at once, on which a request may be on its way.
 */
export async function closeFront(server: Server, route: Route, deadlineSeconds: number): Promise<void> {
  route.closing = true;
  const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve()));
  const soon = Math.min(1.5, deadlineSeconds) * 1000;
  const idle = setTimeout(() => server.closeIdleConnections(), soon);
  const again = setInterval(() => server.closeIdleConnections(), soon + 250);
  const deadline = new Promise<void>((resolve) => {
    const all = setTimeout(() => (server.closeAllConnections(), resolve()), deadlineSeconds * 1000);
    void closed.then(() => clearTimeout(all));
  });
  await Promise.race([closed, deadline]); // upgraded connections are not the server's any more, and hold its end up
  clearTimeout(idle);
  clearInterval(again);
}
