import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { Principal } from "../identity/model.ts";
import "../identity/request.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Db } from "../kernel/sql.ts";
import { breakGlasses, findBreakGlass, usesOf } from "./break-glass-store.ts";
import { BreakGlass, BreakGlassState, stateAt } from "./break-glass.ts";

const Because = z.string().trim().min(10, "say why, in ten letters at least").max(1000);
const Order = z.strictObject({
  service: z.string().min(1).max(63),
  /** Every environment where it is left out. */
  environment: z.string().min(1).max(63).optional(),
  /** Names of rules, `production-approval` and `windows`; without it all that may be broken. */
  rules: z.array(z.string().min(1).max(100)).max(50).optional(),
  seconds: z.int().describe("from 60 to 14400"),
  because: Because,
});
export type BreakGlassOrder = z.infer<typeof Order>;

const Shown = z
  .object({
    ...BreakGlass.shape,
    state: BreakGlassState,
    /** What whoever opens it has to know. */
    warnings: z.array(z.string()),
  })
  .meta({ id: "BreakGlassShown" });

const Use = z.object({
  seq: z.number(),
  at: z.coerce.date(),
  type: z.string(),
  actor: z.string(),
  data: z.record(z.string(), z.unknown()),
});
const Detail = z.object({ ...Shown.shape, uses: z.array(Use) }).meta({ id: "BreakGlassDetail" });

/** What stands behind the routes: opening starts the workflow that watches it, closing and reviewing tell that. */
export interface BreakGlassDesk {
  /** The owning group of a service; undefined where it has none. Throws `catalog.service_not_found`. */
  ownerOf(service: string): Promise<string | undefined>;
  open(order: BreakGlassOrder, by: Principal): Promise<BreakGlass>;
  close(id: string, because: string, by: Principal): Promise<BreakGlass>;
  review(id: string, because: string, by: Principal): Promise<BreakGlass>;
}

/** Going on although rules refuse: for a while, with a reason, before witnesses. */
export const breakGlassRoutes =
  ({ db, clock, desk }: { db: Db; clock: Clock; desk: BreakGlassDesk }): FastifyPluginAsyncZod =>
  async (app) => {
    const tags = ["policy"];
    const one = z.object({ id: z.string() });
    const body = z.strictObject({ because: Because });
    const shown = (glass: BreakGlass): z.infer<typeof Shown> => ({
      ...glass,
      state: stateAt(glass, clock.now()),
      warnings:
        glass.witnesses.length > 0
          ? []
          : [
              "There is no second person to tell: nobody else is in the owning team or an administrator. Its follow-up stays open until there is one who reviews it.",
            ],
    });
    const subjectOf = async (service: string) => {
      const owner = await desk.ownerOf(service);
      return { name: service, ...(owner !== undefined && { owner }) };
    };

    app.post(
      "/break-glass",
      {
        schema: {
          operationId: "openBreakGlass",
          tags,
          summary: "Let a service go on although rules refuse, for a while; others are told at once",
          body: Order,
          response: { 201: Shown },
        },
      },
      async (request, reply) => {
        await request.can("break_glass.open", await subjectOf(request.body.service));
        return reply.code(201).send(shown(await desk.open(request.body, request.principal)));
      },
    );

    app.get(
      "/break-glass",
      {
        schema: {
          operationId: "listBreakGlass",
          tags,
          summary: "Break-glasses, newest first",
          querystring: z.object({ service: z.string().optional(), state: BreakGlassState.optional() }),
          response: { 200: z.object({ breakGlass: z.array(Shown) }) },
        },
      },
      async (request) => {
        await request.can("read");
        return { breakGlass: (await breakGlasses(db, clock.now(), request.query)).map(shown) };
      },
    );

    app.get(
      "/break-glass/:id",
      {
        schema: {
          operationId: "getBreakGlass",
          tags,
          summary: "A break-glass with what was done under it",
          params: one,
          response: { 200: Detail },
        },
      },
      async (request) => {
        await request.can("read");
        const glass = await findBreakGlass(db, request.params.id);
        return { ...shown(glass), uses: await usesOf(db, glass) };
      },
    );

    app.post(
      "/break-glass/:id/close",
      { schema: { operationId: "closeBreakGlass", tags, summary: "End it before its time", params: one, body, response: { 200: Shown } } },
      async (request) => {
        const { service } = await findBreakGlass(db, request.params.id);
        await request.can("break_glass.open", await subjectOf(service));
        return shown(await desk.close(request.params.id, request.body.because, request.principal));
      },
    );

    app.post(
      "/break-glass/:id/review",
      {
        schema: {
          operationId: "reviewBreakGlass",
          tags,
          summary: "Close its follow-up: by somebody else than who opened it",
          params: one,
          body,
          response: { 200: Shown },
        },
      },
      async (request) => {
        const { service } = await findBreakGlass(db, request.params.id);
        await request.can("break_glass.review", await subjectOf(service));
        return shown(await desk.review(request.params.id, request.body.because, request.principal));
      },
    );
  };
