import { expect, test } from "vitest";
import { transact } from "../kernel/sql.ts";
import { database } from "../testing/database.ts";
import { ORDERS, anObservation } from "./a-reading.ts";
import { callsOf, foldCalls, type Call } from "./calls.ts";
import { dependencyView } from "./dependency-view.ts";

const at = (second: number): Date => new Date(Date.UTC(2026, 2, 1, 12, 0, second));
const call = (given: Partial<Call>): Call => ({
  service: "orders",
  environment: "production",
  caller: "shop/production",
  requests: 5,
  firstAt: at(0),
  lastAt: at(1),
  ...given,
});

test("dependencyView() sets what was seen beside what is declared, and claims nothing about what it can't see", () => {
  const view = dependencyView(
    "orders",
    {
      needs: [
        { other: "stock", type: "runtime", isCritical: true },
        { other: "mail", type: "runtime", isCritical: false },
        { other: "resource:default/orders-db", type: "runtime", isCritical: false },
      ],
      neededBy: [{ other: "shop", type: "runtime", isCritical: false }],
    },
    [
      call({}),
      call({ caller: "reports/dev", environment: "dev" }),
      call({ caller: "outside", requests: 9 }),
      call({ caller: "unknown", requests: 1 }),
      call({ service: "stock", caller: "orders/production" }),
      call({ service: "search", caller: "orders/production" }),
    ],
  );
  expect(view.needs.map(({ other, state }) => [other, state])).toEqual([
    ["mail", "not_called"],
    ["resource:default/orders-db", "not_measured"],
    ["search", "not_declared"],
    ["stock", "called"],
  ]);
  expect(view.neededBy.map(({ other, state, observed }) => [other, state, observed.map(({ from, to }) => `${from} ${to}`)])).toEqual([
    ["reports", "not_declared", ["dev dev"]],
    ["shop", "called", ["production production"]],
  ]);
  expect(view.others.map(({ who, requests }) => [who, requests])).toEqual([
    ["outside", 9],
    ["unknown", 1],
  ]);
});

test("foldCalls() adds what callers' counters grew by, over resets, and nothing twice", async () => {
  const db = await database();
  const fold = (second: number, epoch: string, requests: number) =>
    transact(db, (tx) =>
      foldCalls(tx, [
        {
          ...anObservation(at(second), []),
          callers: {
            epoch,
            counts: [
              { caller: "shop/production", requests },
              { caller: "outside", requests: 1 },
            ],
          },
        },
      ]),
    );
  await fold(1, "a", 5);
  await fold(1, "a", 5);
  await fold(2, "a", 7);
  await fold(3, "b", 2);
  await fold(4, "b", 2);
  expect(await callsOf(db, "orders")).toMatchObject([
    { caller: "outside", requests: 2 },
    { caller: "shop/production", requests: 9, firstAt: at(1), lastAt: at(3) },
  ]);
  expect(await callsOf(db, "shop")).toMatchObject([{ ...ORDERS, requests: 9 }]);
  expect(await callsOf(db, "outside")).toEqual([]);
});
