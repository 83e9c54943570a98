/** Where a secret lies. The reference may be stored and shown; the value never. */
export interface SecretRef {
  service: string;
  environment: string;
  /** Secret name and key in it, as a Kubernetes secretKeyRef names them. */
  name: string;
  key: string;
}

/** Keeps values away from database, ledger, logs and plans. Whoever starts a process reads them at the last moment. */
export interface SecretStore {
  /** Sets a value; with `onlyIfMissing` an existing one stays. Gives whether it was written. */
  set(ref: SecretRef, value: string, options?: { onlyIfMissing?: boolean }): Promise<boolean>;
  /** The value. Throws `secrets.missing`. */
  reveal(ref: SecretRef): Promise<string>;
  list(target: { service: string; environment: string }): Promise<SecretRef[]>;
  /** Removes one key of a secret, the secret when key is left out, or all of a target when name is too. What is gone already is no error. */
  remove(ref: { service: string; environment: string; name?: string; key?: string }): Promise<void>;
}

/** Under this name of a `secretKeyRef` lie the secrets that people set. With its dot it can't be the name of a resource. */
export const SERVICE_SECRETS = "service.secrets";

/** The key of one version. A version never changes its value: a release that names it starts with the same bytes each time. */
export const secretKey = (name: string, version: string): string => `${name}.${version}`;
