import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import { storable } from "../catalog/model.ts";
import { Rotation } from "../catalog/rotation.ts";
import type { Principal } from "../identity/model.ts";
import "../identity/request.ts";
import type { Clock } from "../kernel/clock.ts";
import { transact, type Db } from "../kernel/sql.ts";
import { AlertmanagerMessage } from "./alertmanager.ts";
import { environmentUnknown, groupUnknown } from "./faults.ts";
import { Incident, IncidentState, Severity, Suspect, TimelineEntry } from "./model.ts";
import { OnCall } from "./on-call.ts";
import { addNote, findIncident, incidents, type NewIncident } from "./store.ts";

const text = (least: number, most: number) => z.string().trim().min(least).max(most).refine(storable, "holds a NUL or half a character");
const Because = z.strictObject({ because: text(1, 1000) });
const Order = z.strictObject({
  service: z.string().min(1).max(63),
  environment: z.string().min(1).max(63).optional(),
  title: text(3, 200),
  because: text(0, 1000).default(""),
  severity: Severity.default("page"),
  beganAt: z.iso.datetime({ offset: true }).optional(),
});

/** With who answers for it now. */
const Shown = z
  .object({
    ...Incident.shape,
    /** Reference of the group that owns the service; null where there is none. */
    owner: z.string().nullable(),
  })
  .meta({ id: "IncidentShown" });
export type IncidentShown = z.infer<typeof Shown>;

const Detail = z
  .object({
    ...Shown.shape,
    /** Who is on call now; null where no group owns it. */
    onCall: OnCall.nullable(),
    suspects: z.array(Suspect),
    timeline: z.array(TimelineEntry),
  })
  .meta({ id: "IncidentDetail" });
export type IncidentDetail = z.infer<typeof Detail>;

const Draft = z.object({ change: z.string(), path: z.string(), incident: Shown }).meta({ id: "IncidentReview" });

const Taken = z
  .object({
    incidents: z.array(
      z.object({
        id: z.string(),
        what: z.enum(["opened", "reopened", "raised", "joined", "known", "resolved", "ended"]),
        alert: z.string(),
        service: z.string().nullable(),
      }),
    ),
    /** Alerts that ended, and of which nobody had heard. */
    unknown: z.int(),
  })
  .meta({ id: "AlertsTaken" });

/** What stands behind the routes: the workflows know who is on call, what changed, and how a change request is opened. */
export interface IncidentDesk {
  /** Throws `catalog.service_not_found`. */
  open(order: NewIncident, by: Principal): Promise<Incident>;
  receive(message: AlertmanagerMessage, by: Principal): Promise<z.infer<typeof Taken>>;
  acknowledge(id: string, by: Principal): Promise<Incident>;
  resolve(id: string, because: string, by: Principal): Promise<Incident>;
  draftReview(id: string, by: Principal): Promise<{ change: string; path: string; incident: Incident }>;
  shown(incidents: readonly Incident[]): Promise<IncidentShown[]>;
  detail(incident: Incident): Promise<IncidentDetail>;
  /** Of one group or service, or of every group that owns something or has a rotation. */
  onCall(of: { group?: string | undefined; service?: string | undefined }): Promise<OnCall[]>;
  rotations(): Promise<Rotation[]>;
  removeRotation(name: string, by: Principal): Promise<void>;
  servicesOf(team: string): Promise<string[]>;
  /** Who may answer: the owner, and whether the caller is on call for it now. */
  subjectOf(incident: Incident, caller: Principal): Promise<{ name: string; owner?: string; onCall: boolean }>;
}

/** Incidents: what is wrong, who answers, what may have caused it, and the way back. */
export const incidentRoutes =
  ({
    db,
    clock,
    desk,
    environmentNames,
  }: {
    db: Db;
    clock: Clock;
    desk: IncidentDesk;
    environmentNames: readonly string[];
  }): FastifyPluginAsyncZod =>
  async (app) => {
    const tags = ["incidents"];
    const params = z.object({ id: z.string().max(60) });
    const one = async (incident: Incident): Promise<IncidentShown> => (await desk.shown([incident]))[0]!;

    app.get(
      "/incidents",
      {
        schema: {
          operationId: "listIncidents",
          tags,
          summary: "Incidents, newest first; `active` are those that are not resolved",
          querystring: z.object({
            service: z.string().max(63).optional(),
            team: z.string().max(200).optional(),
            state: z.enum(["active", ...IncidentState.options]).optional(),
            before: z.string().max(60).optional(),
            limit: z.coerce.number().int().min(1).max(200).default(50),
          }),
          response: { 200: z.object({ incidents: z.array(Shown), next: z.string().nullable() }) },
        },
      },
      async (request) => {
        await request.can("read");
        const { service, team, ...filter } = request.query;
        const ofTeam = team === undefined ? undefined : await desk.servicesOf(team);
        const services = service === undefined ? ofTeam : [service].filter((name) => ofTeam?.includes(name) ?? true);
        const { items, next } = await incidents(db, { ...filter, services });
        return { incidents: await desk.shown(items), next };
      },
    );

    app.post(
      "/incidents",
      {
        schema: {
          operationId: "openIncident",
          tags,
          summary: "Report that something is wrong; whoever is on call is told",
          body: Order,
          response: { 201: Shown },
        },
      },
      async (request, reply) => {
        const { service, environment = null, beganAt, ...said } = request.body;
        await request.can("incident.report", { name: service });
        if (environment !== null && !environmentNames.includes(environment)) throw environmentUnknown(environment, environmentNames);
        const order = { ...said, service, environment, ...(beganAt !== undefined && { beganAt: new Date(beganAt) }) };
        return reply.code(201).send(await one(await desk.open(order, request.principal)));
      },
    );

    app.get(
      "/incidents/:id",
      {
        schema: {
          operationId: "getIncident",
          tags,
          summary: "An incident with who is on call, suspects, ways back and timeline",
          params,
          response: { 200: Detail },
        },
      },
      async (request) => {
        await request.can("read");
        return desk.detail(await findIncident(db, request.params.id));
      },
    );

    app.post(
      "/incidents/:id/acknowledge",
      { schema: { operationId: "acknowledgeIncident", tags, summary: "Take it: nobody else is told", params, response: { 200: Shown } } },
      async (request) => {
        const { id } = request.params;
        await request.can("incident.answer", await desk.subjectOf(await findIncident(db, id), request.principal));
        return one(await desk.acknowledge(id, request.principal));
      },
    );

    app.post(
      "/incidents/:id/resolve",
      {
        schema: {
          operationId: "resolveIncident",
          tags,
          summary: "Say that it is over, and what ended it",
          params,
          body: Because,
          response: { 200: Shown },
        },
      },
      async (request) => {
        const { id } = request.params;
        await request.can("incident.answer", await desk.subjectOf(await findIncident(db, id), request.principal));
        return one(await desk.resolve(id, request.body.because, request.principal));
      },
    );

    app.post(
      "/incidents/:id/note",
      {
        schema: {
          operationId: "noteIncident",
          tags,
          summary: "Add a sentence to its timeline",
          params,
          body: z.strictObject({ text: text(1, 4000) }),
          response: { 200: Shown },
        },
      },
      async (request) => {
        const { id } = request.params;
        await request.can("incident.answer", await desk.subjectOf(await findIncident(db, id), request.principal));
        return one(await transact(db, (tx) => addNote(tx, clock, request.principal.ref, id, request.body.text)));
      },
    );

    app.post(
      "/incidents/:id/review",
      {
        schema: {
          operationId: "draftIncidentReview",
          tags,
          summary: "Open a change request with a draft of its review in the service's docs/; the same one again where there is one",
          params,
          response: { 201: Draft },
        },
      },
      async (request, reply) => {
        const { id } = request.params;
        await request.can("incident.answer", await desk.subjectOf(await findIncident(db, id), request.principal));
        const { incident, ...draft } = await desk.draftReview(id, request.principal);
        return reply.code(201).send({ ...draft, incident: await one(incident) });
      },
    );

    app.post(
      "/alertmanager",
      {
        schema: {
          operationId: "receiveAlerts",
          tags,
          summary: "Take in what Alertmanager sends to a webhook (version 4): alerts open incidents, their ends end them",
          body: AlertmanagerMessage,
          response: { 200: Taken },
        },
      },
      async (request) => {
        await request.can("incident.report", { name: "alerts" });
        return desk.receive(request.body, request.principal);
      },
    );

    app.get(
      "/on-call",
      {
        schema: {
          operationId: "listOnCall",
          tags,
          summary: "Who is on call now, until when, and who is next: of a group, of a service's owner, or of all",
          querystring: z.object({ group: z.string().max(200).optional(), service: z.string().max(63).optional() }),
          response: { 200: z.object({ onCall: z.array(OnCall) }) },
        },
      },
      async (request) => {
        await request.can("read");
        const onCall = await desk.onCall(request.query);
        if (request.query.group !== undefined && onCall.length === 0) throw groupUnknown(request.query.group);
        return { onCall };
      },
    );

    app.get(
      "/rotations",
      {
        schema: {
          operationId: "listRotations",
          tags,
          summary: "The rotations of the organisation, as loaded",
          response: { 200: z.object({ rotations: z.array(Rotation) }) },
        },
      },
      async (request) => {
        await request.can("read");
        return { rotations: await desk.rotations() };
      },
    );

    app.delete(
      "/rotations/:name",
      {
        schema: {
          operationId: "removeRotation",
          tags,
          summary: "Take a rotation away: from then on all of its group is on call",
          params: z.object({ name: z.string().max(63) }),
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        await request.can("organisation.change", { name: request.params.name });
        await desk.removeRotation(request.params.name, request.principal);
        return reply.code(204).send(null);
      },
    );
  };
