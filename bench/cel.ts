import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Environment as Marcbachmann } from "@marcbachmann/cel-js";
import { celEnv, parse, plan } from "@bufbuild/cel";
import { environment } from "../cel/index.ts";

/**
 * Our CEL beside its peers, on the same ten rules and the same object (cel-rules.json), in one run. `prepared`: the data was converted
 * beforehand, where a library wants that. `plain`: from an object as JSON.parse gives it, a new one each time. Ours counts costs and
 * keeps a budget in both; cel-go runs in the environment of a Kubernetes API server, with cost tracking.
 */
interface Rule {
  name: string;
  rule: string;
}

type Evaluate = (object: object) => unknown;

interface Peer {
  name: string;
  compile(rule: string): Evaluate;
  prepare(object: object): object;
}

const { object, rules } = JSON.parse(readFileSync(new URL("cel-rules.json", import.meta.url), "utf8")) as { object: object; rules: Rule[] };
const json = JSON.stringify(object);
const limits = { preparedMicros: 5, plainMicros: 10, compileMicros: 100 };

const ours = environment({ version: "1.36", variables: { object: "dyn" } });
const marcbachmann = new Marcbachmann({ unlistedVariablesAreDyn: true }).registerVariable("object", "dyn");

const peers: Peer[] = [
  {
    name: "cairn",
    compile: (rule) => {
      const program = ours.compile(rule);
      return (data) => {
        const outcome = program.evaluate({ object: data });
        return outcome.kind === "value" && outcome.value;
      };
    },
    prepare: (data) => data,
  },
  {
    name: "@marcbachmann/cel-js",
    compile: (rule) => {
      const run = marcbachmann.parse(rule);
      return (data) => run({ object: data }) as unknown;
    },
    prepare: (data) => withBigints(data) as object,
  },
  { name: "@bufbuild/cel", compile: bufbuild, prepare: (data) => withBigints(data) as object },
];

function bufbuild(rule: string): Evaluate {
  const env = celEnv();
  const run = plan(env, parse(rule));
  return (data) => run({ object: data as never }) as unknown;
}

/** Integral numbers as bigints: what both peers take for ints. */
function withBigints(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withBigints);
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withBigints(inner)]));
  return typeof value === "number" && Number.isInteger(value) ? BigInt(value) : value;
}

/** Microseconds of one run: the fastest of several short rounds. On a busy machine the others measure its neighbours. */
function micros(run: () => void, perRound: number): number {
  for (let i = 0; i < perRound * 4; i++) run();
  let fastest = Infinity;
  for (let round = 0; round < 25; round++) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < perRound; i++) run();
    fastest = Math.min(fastest, Number(process.hrtime.bigint() - start) / 1000 / perRound);
  }
  return fastest;
}

function measure(peer: Peer, rule: string): { prepared: number; plain: number; compile: number } | undefined {
  try {
    const evaluate = peer.compile(rule);
    const prepared = peer.prepare(object);
    if (evaluate(prepared) !== true) return undefined;
    const fresh = Array.from({ length: 4000 }, () => JSON.parse(json) as object);
    let next = 0;
    return {
      prepared: micros(() => void evaluate(prepared), 1000),
      plain: micros(() => void evaluate(peer.prepare(fresh[next++ % fresh.length]!)), 1000),
      compile: micros(() => void peer.compile(rule), 100),
    };
  } catch {
    return undefined;
  }
}

/** cel-go's microseconds by rule, or why there are none. */
function celGo(): Record<string, { prepared: number; compile: number }> | string {
  try {
    const options = { cwd: fileURLToPath(new URL("cel-go/", import.meta.url)), encoding: "utf8", timeout: 600_000 } as const;
    const rulesFile = fileURLToPath(new URL("cel-rules.json", import.meta.url));
    return JSON.parse(execFileSync("go", ["run", ".", "bench", rulesFile], options)) as Record<
      string,
      { prepared: number; compile: number }
    >;
  } catch (fault) {
    return fault instanceof Error ? fault.message.split("\n")[0]! : String(fault);
  }
}

export default function bench(): void {
  const show = (value: number | undefined): string => (value === undefined ? "-" : value.toFixed(2)).padStart(9);
  console.log(`ten rules on a Deployment of ${json.length} bytes; microseconds, fastest of 25 rounds`);
  console.log(`${"rule".padEnd(12)}${"library".padEnd(34)} prepared    plain   compile`);
  const go = celGo();
  for (const { name, rule } of rules) {
    for (const peer of peers) {
      const times = measure(peer, rule);
      console.log(`${name.padEnd(12)}${peer.name.padEnd(34)}${show(times?.prepared)}${show(times?.plain)}${show(times?.compile)}`);
      if (peer.name === "cairn" && name === "deployment" && times) reportLimits(times);
    }
    if (typeof go === "object")
      console.log(
        `${name.padEnd(12)}${"cel-go, Kubernetes 1.36".padEnd(34)}${show(go[name]?.prepared)}${show(undefined)}${show(go[name]?.compile)}`,
      );
  }
  if (typeof go === "string") console.log(`cel-go was skipped: ${go}`);
}

function reportLimits({ prepared, plain, compile }: { prepared: number; plain: number; compile: number }): void {
  const verdict = (value: number, limit: number): string => `${value.toFixed(2)} of ${limit} ${value <= limit ? "(kept)" : "(MISSED)"}`;
  console.log(
    `  limits: prepared ${verdict(prepared, limits.preparedMicros)}, plain ${verdict(plain, limits.plainMicros)}, compile ${verdict(compile, limits.compileMicros)}`,
  );
}
