import { pino } from "pino";

/** Structured lines on standard error, so that standard output stays free for what a command answers. `CAIRN_LOG` sets the level. */
export type Log = ReturnType<typeof createLog>;

export const createLog = (name: string, level = process.env.CAIRN_LOG ?? "info") =>
  pino({ name, level, redact: ["*.password", "*.token", "*.authorization", "*.cookie", "req.headers"] }, pino.destination(2));

export const silentLog: Log = pino({ level: "silent" });
