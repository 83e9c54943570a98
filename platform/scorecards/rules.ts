import { readFile } from "node:fs/promises";
import { environment, schemaType, type Program, type Schema } from "@cairn/cel";
import { parse } from "yaml";
import { z } from "zod";
import { Tier } from "../catalog/model.ts";
import { digestOf, type Digest } from "../kernel/digest.ts";
import { messageOf } from "../kernel/faults.ts";
import { scorecardBroken } from "./faults.ts";
import { ScoreFacts } from "./model.ts";

const expression = z.string().min(1);

const PointRule = z.strictObject({
  id: z.string().regex(/^[a-z][a-z0-9-]*$/),
  title: z.string(),
  tiers: z.array(Tier),
  /** Says what is not known, "" where all is. */
  unknown: expression,
  met: expression,
  because: expression,
  fact: expression,
  next: z.strictObject({ what: z.string(), link: expression, command: expression }),
});
const RulesFile = z.strictObject({ points: z.array(PointRule).min(1) });

export interface ScoreRules {
  digest: Digest;
  points: (Pick<z.infer<typeof PointRule>, "id" | "title" | "tiers"> & {
    what: string;
    programs: Record<"unknown" | "met" | "because" | "fact" | "link" | "command", Program>;
  })[];
}

/** Reads a scorecard's rules. Throws `scorecards.broken`, naming point and place. */
export async function loadScorecard(file: string): Promise<ScoreRules> {
  let content: unknown;
  try {
    content = parse(await readFile(file, "utf8"));
  } catch (error) {
    throw scorecardBroken("the file", messageOf(error));
  }
  const parsed = RulesFile.safeParse(content);
  if (!parsed.success) throw scorecardBroken(parsed.error.issues[0]?.path.join(".") ?? "", parsed.error.issues[0]?.message ?? "");
  const { points } = parsed.data;
  const cel = environment({ version: "1.36", variables: factTypes() });
  const compile = (where: string, source: string, wanted: string): Program => {
    try {
      const program = cel.compile(source);
      if (program.type !== wanted) throw new Error(`it gives ${program.type}, not ${wanted}`);
      return program;
    } catch (error) {
      throw scorecardBroken(where, messageOf(error));
    }
  };
  return {
    digest: digestOf({ points }),
    points: points.map(({ id, title, tiers, next, ...rule }) => ({
      id,
      title,
      tiers,
      what: next.what,
      programs: {
        unknown: compile(`${id}.unknown`, rule.unknown, "string"),
        met: compile(`${id}.met`, rule.met, "bool"),
        because: compile(`${id}.because`, rule.because, "string"),
        fact: compile(`${id}.fact`, rule.fact, "string"),
        link: compile(`${id}.next.link`, next.link, "string"),
        command: compile(`${id}.next.command`, next.command.startsWith("cairn ") ? JSON.stringify(next.command) : next.command, "string"),
      },
    })),
  };
}

/** The facts as variables of CEL. What may be null is dyn: CEL compares only that with null. */
function factTypes() {
  const { properties = {} } = z.toJSONSchema(ScoreFacts) as { properties?: Record<string, Schema & { anyOf?: unknown }> };
  return Object.fromEntries(
    Object.entries(properties).map(([name, schema]) => [name, schema.anyOf ? "dyn" : schemaType(schema, { name })]),
  );
}
