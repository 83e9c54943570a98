import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { Problem, sendJson, sendProblem } from "./http.js";
import { itemRoutes } from "./items.js";
import { createMetrics } from "./metrics.js";
import { traceOf } from "./trace.js";

/** The HTTP service: `listen(port, host)` gives the port in use (every address, where no host is named), `stop()` ends it without losing a request. */
export function createService({ items, log, stopSeconds = 20 }) {
  const metrics = createMetrics();
  const routes = itemRoutes(items);
  const find = router([index(routes), ...routes]);
  let stopping = false;

  const server = createServer({ keepAliveTimeout: 30_000, headersTimeout: 10_000, requestTimeout: 30_000 }, (request, response) => {
    const mark = request.url.indexOf("?");
    const path = mark === -1 ? request.url : request.url.slice(0, mark);
    if (stopping) response.setHeader("connection", "close");
    if (PROBES.has(path)) return void probe(path, request, response);
    void answer(request, response, path, mark === -1 ? "" : request.url.slice(mark));
  });

  async function answer(request, response, path, search) {
    const started = performance.now();
    const { route, params, methods } = find(path);
    response.once("close", () => {
      const seconds = (performance.now() - started) / 1000;
      const status = response.headersSent ? response.statusCode : 499; // 499: the caller went away before an answer
      metrics.observe(request.method, route, status, seconds);
      log[status >= 500 ? "error" : "info"]("request", {
        ...traceOf(request.headers.traceparent),
        span_id: randomBytes(8).toString("hex"),
        method: request.method,
        path: path.slice(0, 200),
        route,
        status,
        duration_ms: Math.round(seconds * 1e6) / 1000,
      });
    });
    try {
      if (!methods) throw new Problem(404, "Nothing is here");
      const handle = methods[request.method] ?? (request.method === "HEAD" ? methods.GET : undefined);
      if (!handle) throw new Problem(405, "This can't be done here", { allow: Object.keys(methods).join(", ") });
      await handle(request, response, { ...params, query: new URLSearchParams(search) });
    } catch (error) {
      if (response.headersSent || response.destroyed) return void response.destroy();
      if (!(error instanceof Problem)) log.error("request failed", { error: error.stack });
      sendProblem(request, response, error instanceof Problem ? error : new Problem(500, "Something went wrong"));
    }
  }

  async function probe(path, request, response) {
    if (path === "/metrics") {
      response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
      return response.end(metrics.text());
    }
    const problem = path === "/readyz" ? await unready() : undefined;
    if (problem) sendProblem(request, response, new Problem(503, problem));
    else sendJson(request, response, 200, { status: "ok" });
  }

  async function unready() {
    if (stopping) return "It is stopping";
    try {
      await items.ready();
      return undefined;
    } catch (error) {
      return error.message;
    }
  }

  return {
    async listen(port, host) {
      server.listen(port, host);
      await once(server, "listening");
      return server.address().port;
    },
    /** Not ready from now on; answers what is under way, closes connections as they fall idle, and cuts off what takes longer than `stopSeconds`. */
    async stop() {
      if (stopping) return;
      stopping = true;
      const closed = once(server, "close");
      server.close();
      const idle = setInterval(() => server.closeIdleConnections(), 50);
      const deadline = setTimeout(() => server.closeAllConnections(), stopSeconds * 1000);
      await closed;
      clearInterval(idle);
      clearTimeout(deadline);
      await items.close();
    },
  };
}

const PROBES = new Set(["/healthz", "/readyz", "/metrics"]);

/** What there is, for whoever opens the service's address. */
const index = (routes) => ({
  path: "/",
  methods: {
    async GET(request, response) {
      const offered = routes.map(({ path, methods }) => ({ path, methods: Object.keys(methods) }));
      sendJson(request, response, 200, { routes: offered, probes: [...PROBES] });
    },
  },
});

/** Finds the route of a path; `{name}` stands for one segment. A path without one counts as route "". */
function router(routes) {
  const exact = new Map();
  const patterns = [];
  for (const { path, methods } of routes) {
    const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    if (names.length === 0) exact.set(path, { route: path, params: {}, methods });
    else patterns.push({ route: path, names, methods, pattern: new RegExp(`^${path.replaceAll(/\{\w+\}/g, "([^/]+)")}$`) });
  }
  return (path) => {
    const found = exact.get(path);
    if (found) return found;
    for (const { route, names, methods, pattern } of patterns) {
      const match = pattern.exec(path);
      if (match) return { route, methods, params: Object.fromEntries(names.map((name, index) => [name, match[index + 1]])) };
    }
    return { route: "", params: {}, methods: undefined };
  };
}
