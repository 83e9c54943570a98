import type { Api } from "@cairn/api";
import { session } from "./session.ts";

/** A press of the Tab key waits no longer than this for the platform. */
const PATIENCE_MS = 700;

type Names = (api: Api) => Promise<string[]>;

const services: Names = async (api) =>
  (await api.GET("/api/catalog/service-views", { params: { query: { limit: 500 } } })).data?.items.map(({ name }) => name) ?? [];
const releases: Names = async (api) =>
  (await api.GET("/api/releases", { params: { query: { limit: 50 } } })).data?.releases.map(({ id }) => id) ?? [];
const changes: Names = async (api) =>
  (await api.GET("/api/changes", { params: { query: { state: "open" } } })).data?.changes.map((one) => `${one.repository}/${one.number}`) ??
  [];
const runs: Names = async (api) => (await api.GET("/api/runs", { params: { query: { limit: 50 } } })).data?.runs.map(({ id }) => id) ?? [];
const rules: Names = async (api) => (await api.GET("/api/policies")).data?.rules.map(({ name }) => name) ?? [];
const together =
  (...all: Names[]): Names =>
  async (api) =>
    (await Promise.all(all.map((names) => names(api)))).flat();

/** By the word that the help has for it. */
const KINDS: Record<string, Names> = {
  service: services,
  repository: services,
  release: releases,
  change: changes,
  "change-or-release": together(changes, releases),
  "release-or-service": together(services, releases),
  subject: together(services, changes, releases, runs),
  run: runs,
  reference: services,
  team: async (api) => (await api.GET("/api/catalog/groups")).data?.map(({ name }) => name) ?? [],
  "golden-path": async (api) => (await api.GET("/api/golden-paths")).data?.goldenPaths.map(({ name }) => name) ?? [],
  decision: async (api) => (await api.GET("/api/decisions", { params: { query: {} } })).data?.decisions.map(({ id }) => id) ?? [],
  exception: async (api) =>
    (await api.GET("/api/exceptions", { params: { query: { holding: "true" } } })).data?.exceptions.map(({ id }) => id) ?? [],
  rule: rules,
  rules,
  environment: async (api) => (await api.GET("/api/policies/bundle")).data?.environments.map(({ name }) => name) ?? [],
  point: async (api) => (await api.GET("/api/scorecards", { params: { query: { limit: 1 } } })).data?.points.map(({ id }) => id) ?? [],
  freeze: async (api) =>
    (await api.GET("/api/windows")).data?.windows.filter(({ rule }) => rule.kind === "freeze").map(({ rule }) => rule.name) ?? [],
  webhook: async (api) => (await api.GET("/api/webhooks")).data?.webhooks.map(({ id }) => id) ?? [],
  "break-glass": async (api) => (await api.GET("/api/break-glass", { params: { query: {} } })).data?.breakGlass.map(({ id }) => id) ?? [],
  rotation: async (api) => (await api.GET("/api/rotations")).data?.rotations.map(({ name }) => name) ?? [],
  incident: async (api) =>
    (await api.GET("/api/incidents", { params: { query: { limit: 50 } } })).data?.incidents.map(({ id }) => id) ?? [],
  token: async (api) => (await api.GET("/api/auth/tokens")).data?.map(({ id }) => id) ?? [],
  quarantined: async (api) => (await api.GET("/api/quarantine")).data?.quarantine.map(({ artifactDigest }) => artifactDigest) ?? [],
};

/** The names of a kind that the running platform has; none without a platform, a session or an answer in time. */
export async function namesOf(kind: string, env: NodeJS.ProcessEnv): Promise<string[]> {
  const names = KINDS[kind];
  if (!names) return [];
  const tooLate = new Promise<string[]>((resolve) => setTimeout(resolve, PATIENCE_MS, []).unref());
  try {
    const { api } = await session(env);
    return await Promise.race([names(api), tooLate]);
  } catch {
    return [];
  }
}
