import { Fault } from "../kernel/faults.ts";
import type { SecretRef } from "./contract.ts";

export const secretMissing = (ref: SecretRef) =>
  new Fault(
    "not_found",
    "secrets.missing",
    `No secret ${ref.name}/${ref.key} is kept for ${ref.service} in ${ref.environment}`,
    "Apply the infrastructure that makes it, or set it (cairn secrets set) and release again.",
    { ...ref },
  );

export const secretNameInvalid = (part: string, value: string) =>
  new Fault(
    "invalid",
    "secrets.name_invalid",
    `The ${part} of a secret is ${JSON.stringify(value)}`,
    "Use letters, digits, '.', '_' and '-', beginning with a letter or digit; at most 200.",
  );

export const secretUnreadable = (ref: SecretRef) =>
  new Fault(
    "failed",
    "secrets.unreadable",
    `The secret ${ref.name}/${ref.key} of ${ref.service} in ${ref.environment} can't be decrypted: its file or the key was changed`,
    "Restore the folders keys and secrets of CAIRN_HOME from one backup, or remove the secret and make it anew.",
    { ...ref },
  );

export const keyMissing = (file: string) =>
  new Fault(
    "failed",
    "secrets.key_missing",
    `Secrets are kept, but the key that opens them, ${file}, is gone`,
    "Restore the key from a backup. Without it the secrets are lost: remove the folder secrets and make them anew.",
  );

export const valueRefused = (name: string, why: string) =>
  new Fault(
    "invalid",
    "secrets.value_refused",
    `The value for ${name} can't be kept: ${why}`,
    "Give text of at most 64 KiB; encode what is binary, in base64 for instance.",
    { name },
  );

export const secretNotSet = (service: string, name: string, environments: readonly string[]) =>
  new Fault(
    "not_found",
    "secrets.not_set",
    `No secret ${name} is set for ${service} in ${environments.join(", ")}`,
    `cairn secrets list ${service} names those that are.`,
    { service, name },
  );

export const environmentUnknown = (environment: string, known: readonly string[]) =>
  new Fault("invalid", "secrets.environment_unknown", `There is no environment ${environment}`, `There is: ${known.join(", ")}.`, {
    environment,
  });
