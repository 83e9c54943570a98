import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { service } from "./service.js";

test("it is alive", async () => {
  service.listen(0);
  await once(service, "listening");
  assert.equal((await fetch(`http://127.0.0.1:${service.address().port}/healthz`)).status, 200);
  service.close();
});
