import { createRequire } from "node:module";
import type Http from "node:http";
import type { Pool as UndiciPool } from "undici";

const require = createRequire(import.meta.url);

/**
 * The agent idles for months, so what it loads is counted: `import` of node:http reads every getter of it, one of which loads a second undici (15 MB);
 * undici's own entry loads fetch, WebSocket and mocks besides the pool (13 MB).
 */
export const http = require("node:http") as typeof Http;
export const Pool = require("undici/lib/dispatcher/pool.js") as typeof UndiciPool;
