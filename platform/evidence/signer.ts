import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { link, mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { canonicalJson } from "../kernel/digest.ts";
import { newSecret } from "../kernel/ids.ts";
import { IN_TOTO, keyIdOf, signEnvelope } from "./dsse.ts";
import type { Envelope } from "./model.ts";

/** Signs statements in the name of a builder. */
export interface Signer {
  keyId: string;
  publicKey: KeyObject;
  /** Of an in-toto statement, unless another type is named. */
  sign(statement: unknown, payloadType?: string): Envelope;
}

/** The signer whose Ed25519 key lies in `folder`/NAME.pem, readable by its owner alone. It is made when missing; two that make it at once agree on one. */
export async function fileSigner(folder: string, name = "builder"): Promise<Signer> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, `${name}.pem`);
  let pem = await readFile(path, "utf8").catch(ifMissing);
  if (pem === undefined) {
    const draft = join(folder, `.${name}.${newSecret()}`);
    const file = await open(draft, "wx", 0o600);
    await file.writeFile(generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }));
    await file.sync();
    await file.close();
    // A link is refused where the name is taken: the first one wins, whole.
    await link(draft, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
    await rm(draft);
    pem = await readFile(path, "utf8");
  }
  return signerOf(createPrivateKey(pem));
}

export const signerOf = (privateKey: KeyObject): Signer => ({
  keyId: keyIdOf(privateKey),
  publicKey: createPublicKey(privateKey),
  sign: (statement, payloadType = IN_TOTO) => signEnvelope(payloadType, Buffer.from(canonicalJson(statement)), privateKey),
});

function ifMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}
