import { database } from "../../testing/database.ts";
import { forgeContract } from "../contract-suite.ts";
import { startForge } from "./fixture.ts";

forgeContract("the local forge", async () => {
  const { forge, urlFor, stop } = await startForge(await database());
  return { forge, urlFor: (repository) => urlFor(repository), urlForStranger: (repository) => urlFor(repository, "nobody"), stop };
});
