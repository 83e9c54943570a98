import { z } from "zod";
import { storable } from "../catalog/model.ts";
import type { Severity } from "./model.ts";
import { keyOf, type FiringAlert } from "./store.ts";

const text = (most: number) => z.string().max(most).refine(storable, "holds a NUL or half a character");
const labels = z.record(text(200), text(4000));
const Alert = z.object({
  status: z.enum(["firing", "resolved"]),
  labels,
  annotations: labels.default({}),
  startsAt: z.iso.datetime({ offset: true }),
  endsAt: z.iso.datetime({ offset: true }).optional(),
  generatorURL: text(4000).optional(),
  fingerprint: text(100).min(1),
});

/** What Alertmanager sends to a webhook. Source: Prometheus, "Alerting configuration", webhook_config, version 4 of the format. What it adds later is let by. */
export const AlertmanagerMessage = z
  .object({
    version: z.literal("4"),
    groupKey: text(10_000),
    truncatedAlerts: z.int().min(0).optional(),
    status: z.enum(["firing", "resolved"]),
    receiver: text(500),
    groupLabels: labels.optional(),
    commonLabels: labels.optional(),
    commonAnnotations: labels.optional(),
    externalURL: text(4000).optional(),
    alerts: z.array(Alert).max(1000),
  })
  .meta({ id: "AlertmanagerMessage" });
export type AlertmanagerMessage = z.infer<typeof AlertmanagerMessage>;
type Alert = z.infer<typeof Alert>;

/** An alert of Alertmanager's in the terms of incidents. */
export interface Received extends FiringAlert {
  status: "firing" | "resolved";
  key: string;
}

/** Names of labels that say the service, the environment and the severity: those of the rules that the platform generates, and those that are usual. */
const SERVICE_LABELS = ["service", "sloth_service", "app", "job"];
const ENVIRONMENT_LABELS = ["environment", "env", "cairn_environment"];
const SEVERITY_LABELS = ["sloth_severity", "severity"];

/** The alerts of a message. `knows` says whether the catalog has a service of that name; of an SLO's alert the SLO is what it is about, so that it joins the platform's own. */
export function received(message: AlertmanagerMessage, knows: (service: string) => boolean): Received[] {
  return message.alerts.map((alert) => {
    const service =
      SERVICE_LABELS.flatMap((name) => alert.labels[name] ?? [])
        .find((name) => knows(name.toLowerCase()))
        ?.toLowerCase() ?? null;
    const environment = first(alert, ENVIRONMENT_LABELS) ?? null;
    const name = alert.labels.alertname ?? "alert";
    const about = alert.labels.sloth_slo ?? alert.labels.slo ?? name;
    const said = alert.annotations.summary ?? alert.annotations.description ?? name;
    const label = first(alert, SERVICE_LABELS) ?? message.groupKey;
    const mine = {
      source: "alertmanager" as const,
      service,
      environment,
      alert: about,
      fingerprint: `alertmanager/${alert.fingerprint}`,
      startsAt: new Date(alert.startsAt),
      name,
      severity: severityOf(alert),
      title: oneLine(said, 200),
      because: oneLine(alert.annotations.description ?? said, 1000),
      link: webAddress(alert.generatorURL) ?? webAddress(message.externalURL),
      label,
    };
    return { ...mine, status: alert.status, key: keyOf(mine) };
  });
}

/** A page where its labels say so, or say nothing; `ticket`, `warning`, `info` and `none` are none. */
function severityOf(alert: Alert): Severity {
  const said = first(alert, SEVERITY_LABELS)?.toLowerCase();
  return said !== undefined && ["ticket", "warning", "info", "none"].includes(said) ? "ticket" : "page";
}

const first = ({ labels: own }: Alert, names: readonly string[]): string | undefined => names.flatMap((name) => own[name] ?? [])[0];

/** Whoever sends it may write what they like: a link of the portal goes nowhere but to the web. */
const webAddress = (text: string | undefined): string | null =>
  text !== undefined && URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) ? text : null;

const oneLine = (text: string, most: number): string => {
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
};
