import type { Principal } from "../identity/model.ts";

/** Somebody who is signed in, a member of team-a. */
export const aPerson = (name: string, over: Partial<Principal> = {}): Principal => ({
  ref: `user:default/${name}`,
  kind: "person",
  displayName: name,
  scopes: ["read", "write"],
  groups: ["group:default/team-a"],
  administrator: false,
  ...over,
});

/** An entity of an organisation's file. */
export const anEntity = (kind: string, name: string, spec: object, apiVersion = "backstage.io/v1alpha1") => ({
  apiVersion,
  kind,
  metadata: { name },
  spec,
});
