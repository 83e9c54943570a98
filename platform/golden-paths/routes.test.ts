import Fastify from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { answerFaults } from "../server/problems.ts";
import { goldenPathRoutes } from "./routes.ts";

const app = Fastify();
app.setValidatorCompiler(validatorCompiler);
app.setSerializerCompiler(serializerCompiler);
answerFaults(app);
app.decorateRequest("can", async () => {});
await app.register(goldenPathRoutes({ library: join(import.meta.dirname, "../../library/golden-paths") }));
afterAll(() => app.close());

test("golden paths that are offered are listed with their questions; test cases are not", async () => {
  const { goldenPaths } = (await app.inject("/golden-paths")).json();
  expect(goldenPaths.map(({ name }: { name: string }) => name)).toEqual(["existing-code", "http-api"]);
  expect(goldenPaths[1]).toMatchObject({
    name: "http-api",
    version: "1.0.0",
    title: "HTTP API",
    tier: "tier-3",
    digest: expect.stringMatching(/^sha256:/),
  });
  expect(
    goldenPaths[1].parameters.map((one: { name: string; required: boolean; default: unknown }) => [one.name, one.required, one.default]),
  ).toEqual([
    ["service_name", true, null],
    ["owner_team", true, null],
    ["description", false, "An HTTP API"],
    ["database", false, true],
  ]);
  expect((await app.inject("/golden-paths/http-api")).json()).toEqual(goldenPaths[1]);
});

test("one that is not offered is not found, and the answer says which are", async () => {
  for (const name of ["microservice", "nothing", "..%2Fpolicies"]) {
    const answer = await app.inject(`/golden-paths/${name}`);
    expect(answer.statusCode).toBe(404);
    expect(answer.json()).toMatchObject({ code: "golden_paths.unknown", next: expect.stringContaining("http-api") });
  }
});
