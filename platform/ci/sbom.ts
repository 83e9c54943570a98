import { createHash } from "node:crypto";
import { z } from "zod";
import type { Digest } from "../kernel/digest.ts";
import { sbomInvalid } from "./faults.ts";

/** What Cairn needs of a CycloneDX document (https://cyclonedx.org/docs/1.6/json/); the rest is kept as it came. */
export const CycloneDx = z.looseObject({
  bomFormat: z.literal("CycloneDX"),
  specVersion: z.enum(["1.4", "1.5", "1.6", "1.7"]),
  serialNumber: z
    .string()
    .regex(/^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    .optional(),
  components: z
    .array(z.looseObject({ type: z.string(), name: z.string(), version: z.string().optional(), purl: z.string().optional() }))
    .optional(),
});
export type CycloneDx = z.infer<typeof CycloneDx>;

/** Checks what a declared command printed. Throws `ci.sbom_invalid`. */
export function readSbom(text: string): CycloneDx {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw sbomInvalid((error as Error).message);
  }
  const parsed = CycloneDx.safeParse(value);
  const issue = parsed.error?.issues[0];
  if (!parsed.success) throw sbomInvalid(`${issue?.path.join(".") || "the document"}: ${issue?.message ?? "wrong shape"}`);
  return parsed.data;
}

/** How many software components it names; null where it says that it does not know them. */
export const componentsOf = (sbom: CycloneDx): number | null =>
  isUnknown(sbom) ? null : (sbom.components ?? []).filter((component) => component.type !== "file").length;

/**
 * An SBOM of files only, where nothing better was declared: which components the files belong to is not known, and the document says so by a composition "unknown".
 * The serial number comes from the content, so that the same files have the same document.
 */
export function filesOnly(name: string, files: readonly { path: string; digest: Digest }[]): CycloneDx {
  const components = files.map((file) => ({
    type: "file",
    name: file.path,
    "bom-ref": `file:${file.path}`,
    hashes: [{ alg: "SHA-256", content: file.digest.slice("sha256:".length) }],
  }));
  const hex = createHash("sha256")
    .update(JSON.stringify([name, components]))
    .digest("hex");
  const uuid = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`; // a name-based UUID, RFC 9562 section 5.5 in form
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${uuid}`,
    version: 1,
    metadata: { component: { type: "application", name, "bom-ref": "artifact" } },
    components,
    compositions: [{ aggregate: "unknown", assemblies: ["artifact"] }],
  };
}

const isUnknown = (sbom: CycloneDx): boolean =>
  Array.isArray(sbom.compositions) &&
  sbom.compositions.some((one: unknown) => (one as { aggregate?: unknown } | null)?.aggregate === "unknown");
