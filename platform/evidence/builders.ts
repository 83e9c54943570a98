import { createPublicKey } from "node:crypto";
import { readFile } from "node:fs/promises";
import { parse } from "yaml";
import { z } from "zod";
import { messageOf } from "../kernel/faults.ts";
import { keyIdOf } from "./dsse.ts";
import { buildersInvalid } from "./faults.ts";
import type { BuilderKey } from "./verify.ts";

export const Builders = z.array(z.strictObject({ id: z.string().min(1), publicKey: z.string() }));

/** The builders and scanners whose signature counts besides the platform's own. Throws `evidence.builders_invalid`; a file that is not there lists none. */
export async function loadBuilders(path: string): Promise<BuilderKey[]> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    return "[]";
  });
  try {
    return Builders.parse(parse(text) ?? []).map(({ id, publicKey: pem }) => {
      const publicKey = createPublicKey(pem);
      const type = publicKey.asymmetricKeyType;
      if (type !== "ed25519" && publicKey.asymmetricKeyDetails?.namedCurve !== "prime256v1")
        throw new Error(`${id}: a ${type} key is not taken`);
      return { publicKey, keyId: keyIdOf(publicKey), builder: id };
    });
  } catch (error) {
    throw buildersInvalid(path, error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error));
  }
}
