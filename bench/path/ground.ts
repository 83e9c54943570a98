import { join } from "node:path";
import { apiOf, type Api, type Change, type Plan, type Run } from "../../e2e/outside.ts";
import { startPlatform, type Platform } from "../../e2e/platform.ts";
import { eventually, root } from "../../scripts/demo/tools.ts";

type WholePlatform = Platform & { api: Api };

/** What the parts of one run share: a platform with the example organisation, started when the first of them asks for it, and its services. */
export class Ground {
  #platform: Promise<WholePlatform> | undefined;
  /** Names of services that are in production there. */
  readonly services: string[] = [];

  platform(): Promise<WholePlatform> {
    return (this.#platform ??= (async () => {
      const platform = await startPlatform();
      await platform.cairn("org", "load", join(root, "library", "example-organisation"));
      return { ...platform, api: await apiOf(platform) };
    })());
  }

  /** Brings a new service with a database to production. */
  async service(name: string): Promise<Delivered> {
    const { cairn } = await this.platform();
    const answers = ["-a", `service_name=${name}`, "-a", "owner_team=example-shop", "-a", "database=true"];
    const { digest } = await cairn<Plan>("create", "http-api", ...answers);
    await cairn("apply", digest);
    const delivered = await this.deliver(name, 1);
    this.services.push(name);
    return delivered;
  }

  /** Merges a change request once its checks have passed, and waits for the end of its delivery. */
  async deliver(service: string, number: number): Promise<Delivered> {
    const { cairn, api } = await this.platform();
    const change = () => api<Change>(`/api/changes/${service}/${number}`);
    await eventually(`the checks of ${service}/${number}`, 600, async () => {
      const { checks } = await change();
      return checks.length >= 3 && checks.every(({ state }) => state === "passed" || state === "warned") ? true : undefined;
    });
    const askedAt = Date.now();
    await cairn("merge", `${service}/${number}`);
    const commit = (await change()).mergeCommit ?? "";
    const run = await eventually(`the delivery of ${service}/${number}`, 600, async () => {
      const found = await api<RunTimes>(`/api/runs/deliver-${service}-${commit.slice(0, 12)}`).catch(() => undefined);
      return found?.endedAt ? found : undefined;
    });
    if (run.state !== "success") throw new Error(`${service}/${number} did not get to production: ${JSON.stringify(run.error)}`);
    return { askedAt, run };
  }

  async end(): Promise<void> {
    await (await this.#platform?.catch(() => undefined))?.stop();
  }
}

export interface Delivered {
  /** When a person asked for the merge: milliseconds since 1970. */
  askedAt: number;
  run: RunTimes;
}

/** A run with its times, as the API gives them: text. */
type RunTimes = Omit<Run, "steps"> & { endedAt: string | null; steps: { name: string; startedAt: string; endedAt: string }[] };
