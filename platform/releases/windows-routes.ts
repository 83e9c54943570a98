import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { parse } from "yaml";
import { z } from "zod";
import "../identity/request.ts";
import type { Clock } from "../kernel/clock.ts";
import { messageOf } from "../kernel/faults.ts";
import { transact, type Db } from "../kernel/sql.ts";
import { environmentUnknown, windowsUnreadable } from "./faults.ts";
import { openAt, WindowRule } from "./windows.ts";
import { declareFreeze, endFreeze, findFreeze, loadWindows, windows, type KeptWindow } from "./windows-store.ts";

/** A rule that holds, whose it is, and what it means now. */
export const ReleaseWindow = z
  .object({
    id: z.string(),
    /** Declared by somebody for now; the others came with the organisation's file. */
    declared: z.boolean(),
    by: z.string(),
    at: z.coerce.date(),
    rule: WindowRule,
    /** Of a window whether it is open now, of a freeze whether it is on. */
    on: z.boolean(),
    /** When a freeze that is on ends, or a closed window opens; null where nobody knows, and of an open window. */
    until: z.coerce.date().nullable(),
  })
  .meta({ id: "ReleaseWindow" });

const Loaded = z.object({
  added: z.array(z.string()),
  changed: z.array(z.string()),
  removed: z.array(z.string()),
  unchanged: z.array(z.string()),
});
const names = z.array(z.string().min(1).max(63)).min(1).max(100);
const because = z.string().trim().min(1).max(1000);

const FILE_BYTES = 1024 * 1024;

function documentOf(text: string): unknown {
  try {
    return parse(text, { maxAliasCount: 50 });
  } catch (error) {
    throw windowsUnreadable(messageOf(error));
  }
}

/** Windows and freezes: those of the organisation, and freezes that somebody declares. */
export const windowsRoutes =
  ({
    db,
    clock,
    ownerOf,
    environmentNames,
  }: {
    db: Db;
    clock: Clock;
    ownerOf: (service: string) => Promise<string | undefined>;
    environmentNames: readonly string[];
  }): FastifyPluginAsyncZod =>
  async (app) => {
    const known = (environments: readonly string[] = []) => {
      for (const name of environments) if (!environmentNames.includes(name)) throw environmentUnknown(name, environmentNames);
    };
    const shown = (kept: KeptWindow) => {
      const now = clock.now();
      const { open, heldBy } = openAt([kept.rule], now);
      return { ...kept, on: kept.rule.kind === "window" ? open : !open, until: open ? null : (heldBy[0]?.until ?? null) };
    };
    /** Whoever owns a service may freeze it; what concerns others needs an administrator. */
    const may = async (
      can: (action: "release.act" | "organisation.change", subject: object) => Promise<void>,
      services?: readonly string[],
    ) => {
      if (!services) return can("organisation.change", { name: "releases of every service" });
      for (const name of services) {
        const owner = await ownerOf(name);
        await can("release.act", { name, ...(owner !== undefined && { owner }) });
      }
    };

    app.get(
      "/windows",
      {
        schema: {
          operationId: "listWindows",
          tags: ["releases"],
          summary: "Windows and freezes that hold, and who loaded or declared them",
          response: { 200: z.object({ windows: z.array(ReleaseWindow) }) },
        },
      },
      async (request) => {
        await request.can("read");
        return { windows: (await windows(db, clock.now())).map(shown) };
      },
    );

    // The file of the organisation as it lies there, or the same as JSON.
    await app.register(async (scope) => {
      scope.addContentTypeParser(
        "application/yaml",
        { parseAs: "string", bodyLimit: FILE_BYTES },
        async (_request: unknown, text: string) => documentOf(text),
      );
      (scope as typeof app).put(
        "/windows",
        {
          schema: {
            operationId: "loadWindows",
            tags: ["releases"],
            summary: "Make these the organisation's windows and freezes, in place of those that were",
            body: z.strictObject({ windows: z.array(WindowRule).max(1000) }),
            response: { 200: Loaded },
          },
        },
        async (request) => {
          await request.can("organisation.change", { name: "windows" });
          for (const { environments } of request.body.windows) known(environments);
          return transact(db, (tx) => loadWindows(tx, clock, request.principal.ref, request.body.windows));
        },
      );
    });

    app.post(
      "/freezes",
      {
        schema: {
          operationId: "declareFreeze",
          tags: ["releases"],
          summary: "Freeze releases from now until an end: of services that you own, or as an administrator of all",
          body: z.strictObject({
            until: z.iso.datetime({ offset: true }),
            because,
            name: WindowRule.shape.name.optional(),
            environments: names.optional(),
            services: names.optional(),
          }),
          response: { 201: ReleaseWindow },
        },
      },
      async (request, reply) => {
        const { until, services, environments, ...said } = request.body;
        await may(request.can.bind(request), services);
        known(environments);
        const freeze = { ...said, services, environments, until: new Date(until) };
        const kept = await transact(db, (tx) => declareFreeze(tx, clock, request.principal.ref, freeze));
        return reply.code(201).send(shown(kept));
      },
    );

    app.post(
      "/freezes/:id/end",
      {
        schema: {
          operationId: "endFreeze",
          tags: ["releases"],
          summary: "End a declared freeze, by its id or name",
          params: z.object({ id: z.string() }),
          body: z.strictObject({ because }),
          response: { 200: ReleaseWindow },
        },
      },
      async (request) => {
        const { id } = request.params;
        await may(request.can.bind(request), (await findFreeze(db, id)).rule.services);
        return shown(await transact(db, (tx) => endFreeze(tx, clock, request.principal.ref, id, request.body.because)));
      },
    );
  };
