import { LineCounter, parseDocument, type Document } from "yaml";
import type { z } from "zod";
import { Contract } from "./contract.ts";
import { descriptorInvalid } from "./faults.ts";

/** Reads cairn.yaml. Throws `ci.descriptor_invalid` with the line. */
export const parseContract = (text: string): Contract => parseYamlAs(Contract, text, "cairn.yaml");

/** Reads a YAML document of a known shape. Throws `ci.descriptor_invalid` with the line of the first thing that is wrong. */
function parseYamlAs<T>(schema: z.ZodType<T>, text: string, path: string): T {
  const { value, lineOf } = parseYaml(text, path);
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  if (!issue) throw descriptorInvalid(path, undefined, "it has not the expected shape");
  const unknownKey = issue.code === "unrecognized_keys" ? issue.keys[0] : undefined;
  const at = unknownKey === undefined ? issue.path : [...issue.path, unknownKey];
  throw descriptorInvalid(
    path,
    lineOf(at),
    `${at.join(".") || "the document"}: ${unknownKey === undefined ? issue.message : "is not a known field"}`,
  );
}

/** A YAML document as plain data, and where each part of it stands. Throws `ci.descriptor_invalid` for broken YAML. */
function parseYaml(text: string, path: string): { value: unknown; lineOf: (at: readonly PropertyKey[]) => number | undefined } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const error = document.errors[0];
  if (error) throw descriptorInvalid(path, lines.linePos(error.pos[0]).line, error.message);
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw descriptorInvalid(path, undefined, (error as Error).message);
  }
  return { value, lineOf: (at) => lineIn(document, lines, at) };
}

/** The line of the deepest part of the path that exists: for a missing field, that of what should hold it. */
function lineIn(document: Document, lines: LineCounter, at: readonly PropertyKey[]): number | undefined {
  for (let depth = at.length; depth >= 0; depth--) {
    const node = depth === 0 ? document.contents : document.getIn(at.slice(0, depth), true);
    const start = (node as { range?: [number, number, number] } | undefined | null)?.range?.[0];
    if (start !== undefined) return lines.linePos(start).line;
  }
  return undefined;
}
