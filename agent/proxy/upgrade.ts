import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { http } from "../light.ts";
import type { Arm, Route } from "./forward.ts";
import { pathOf, requestHeaders, responseHeaders } from "./headers.ts";

/** Connections that were upgraded, so that a drain that takes too long can cut those of one arm. */
export class Upgrades {
  readonly #sockets = new Map<Arm, Set<Duplex>>();

  /** Passes a WebSocket handshake on and joins both connections when the service agrees. */
  forward(route: Route, request: IncomingMessage, client: Duplex, head: Buffer): void {
    const arm = route.next();
    if (!arm) return refuse(client, 503, "Service Unavailable");
    const startedAt = performance.now();
    const seconds = () => (performance.now() - startedAt) / 1000;
    const { counters } = arm;
    counters.inFlight += 1;
    const over = once(() => {
      counters.inFlight -= 1;
      this.#sockets.get(arm)?.delete(client);
    });
    client.once("close", over);
    client.on("error", () => client.destroy());
    this.#keep(arm, client);
    const upstream = http.request({
      host: "127.0.0.1",
      port: arm.port,
      method: "GET",
      path: pathOf(request),
      agent: false,
      setHost: false,
      headers: [...requestHeaders(request), "connection", "Upgrade", "upgrade", "websocket"],
    });
    client.once("close", () => upstream.destroy());
    let answered = false;
    upstream.once("upgrade", (answer, service, first) => {
      answered = true;
      counters.count(seconds(), false);
      const lines = [...responseHeaders(answer.rawHeaders, arm), "connection", "Upgrade", "upgrade", "websocket"];
      client.write(headOf(101, "Switching Protocols", lines));
      if (first.length > 0) client.write(first);
      if (head.length > 0) service.write(head);
      service.on("error", () => client.destroy());
      service.once("close", () => client.destroy());
      client.once("close", () => service.destroy());
      client.pipe(service).pipe(client);
    });
    upstream.once("response", (answer) => {
      answered = true;
      const status = answer.statusCode ?? 502;
      counters.count(seconds(), status >= 500);
      client.write(
        headOf(status, answer.statusMessage ?? "", [...responseHeaders(answer.rawHeaders, arm).filter(notLength), "connection", "close"]),
      );
      answer.pipe(client);
    });
    upstream.once("error", () => {
      if (answered) return client.destroy();
      counters.count(seconds(), !client.destroyed);
      refuse(client, 502, "Bad Gateway", ["x-cairn-revision", arm.id, "x-cairn-digest", arm.digest]);
    });
    upstream.end();
  }

  /** Cuts what is left of an arm; gives how many. */
  cut(arm: Arm): number {
    const sockets = [...(this.#sockets.get(arm) ?? [])];
    for (const socket of sockets) socket.destroy();
    this.#sockets.delete(arm);
    return sockets.length;
  }

  #keep(arm: Arm, socket: Duplex): void {
    const kept = this.#sockets.get(arm) ?? new Set();
    this.#sockets.set(arm, kept.add(socket));
  }
}

// The connection closes after the answer, and that is where its body ends.
const notLength = (_: string, n: number, all: string[]): boolean => all[n - (n % 2)]?.toLowerCase() !== "content-length";

function headOf(status: number, message: string, headers: readonly string[]): string {
  let head = `HTTP/1.1 ${status} ${message}\r\n`;
  for (let n = 0; n < headers.length; n += 2) head += `${headers[n]}: ${headers[n + 1]}\r\n`;
  return `${head}\r\n`;
}

function refuse(client: Duplex, status: number, message: string, headers: string[] = []): void {
  if (!client.destroyed) client.end(headOf(status, message, [...headers, "connection", "close", "content-length", "0"]));
}

function once(body: () => void): () => void {
  let done = false;
  return () => {
    if (!done) body();
    done = true;
  };
}
