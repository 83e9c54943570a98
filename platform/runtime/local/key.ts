import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileSigner } from "../../evidence/signer.ts";
import { newSecret } from "../../kernel/ids.ts";
import type { SignAdmission } from "../admission.ts";

/**
 * Signs admissions with the key in `folder`/admission.pem, which the agent never reads. Its public half is laid beside it as admission.pub: that is what the
 * agent takes at first sight, and keeps.
 */
export async function admissionSigner(folder: string): Promise<SignAdmission> {
  const { publicKey, sign } = await fileSigner(folder, "admission");
  const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
  const path = join(folder, "admission.pub");
  if ((await readFile(path, "utf8").catch(() => "")) !== pem) {
    const draft = join(folder, `.admission.pub.${newSecret()}`);
    await writeFile(draft, pem, { mode: 0o644 });
    await rename(draft, path);
  }
  return (payloadType, statement) => sign(statement, payloadType);
}
