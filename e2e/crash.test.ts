import { randomInt } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectAgent } from "@cairn/agent/client.ts";
import { Client } from "./outside.ts";
import { createAndDeliver, ENVIRONMENTS, expectOnce, startWalk, type Walk } from "./walk.ts";

// One create and one delivery, with the server killed (kill -9) in every step of them: with its effect done, and not recorded. What happened outside is counted
// outside. The whole walk, with the death of agent and PostgreSQL and at the other moments of a step, is `npm run test:crash` (crash.walk.ts).
const service = `crash-${randomInt(36 ** 5).toString(36)}`;
const seed = randomInt(1e9);
let walk: Walk;
const clients = new Map<string, Client>();

beforeAll(async () => {
  walk = await startWalk({ seed, victims: ["server"], only: [" | done"], fails: null });
  await walk.platform.cairn("org", "create-team", "team-crash");
});
afterAll(async () => {
  for (const client of clients.values()) await client.stop();
  await walk?.stop();
});

test(
  "create and deliver survive kill -9 of the server in each of their steps, and what they do outside happens once",
  { timeout: 900_000 },
  async () => {
    const done = await createAndDeliver(walk, service, meetServices);
    expect(await walk.points(["done"]), `seed ${seed}`).toMatchObject({ left: [] });
    for (const environment of ENVIRONMENTS) {
      const client = clients.get(environment);
      await client?.stop();
      expect(client?.failures, `what clients of ${environment} saw`).toEqual([]);
      expect(client?.asked).toBeGreaterThan(10);
    }
    expect(clients.get("dev")?.written).toBeGreaterThan(3);
    await expectOnce(walk, service, done);
  },
);

/** Services that answer once are asked all the time from then on. */
async function meetServices(): Promise<void> {
  const { targets } = await (await connectAgent(walk.platform.home)).status();
  for (const { target, url } of targets) {
    if (clients.has(target.environment)) continue;
    const answered = await fetch(`${url}/items`).then(
      (response) => response.status === 200,
      () => false,
    );
    if (answered) clients.set(target.environment, new Client(url, { writes: true }));
  }
}
