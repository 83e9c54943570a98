/** A program for tests: opens an incident of the service orders, says its id once whoever is on call was told, and works on until it is killed. */
import { systemClock } from "../kernel/clock.ts";
import { silentLog } from "../kernel/log.ts";
import { openDatabase, transact } from "../kernel/sql.ts";
import { events } from "../ledger/store.ts";
import { openIncident } from "../incidents/store.ts";
import { startOrchestrator } from "../orchestrator/orchestrator.ts";
import { answerIncident, followIncident } from "./answer-incident.ts";

const { databaseUrl } = JSON.parse(process.argv[2] ?? "") as { databaseUrl: string };
const db = openDatabase(databaseUrl);
const parts = { db, clock: systemClock };
const orchestrator = await startOrchestrator({ databaseUrl, ...parts, log: silentLog, workflows: [answerIncident], parts });
const order = { title: "Totals are wrong", service: "orders", environment: "production", severity: "page" as const, because: "" };
const { id } = await transact(db, (tx) => openIncident(tx, systemClock, "user:default/eve", order));
for (const event of await events(db, { types: ["incidents.opened"] })) await followIncident(orchestrator, event);
while ((await events(db, { types: ["incidents.paged"] })).length === 0) await new Promise((wake) => setTimeout(wake, 20));
console.log(id);
