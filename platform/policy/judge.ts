import { digestOf } from "../kernel/digest.ts";
import { messageOf } from "../kernel/faults.ts";
import type { Bundle, Modes, Rule } from "./bundle.ts";
import { evaluate, EVALUATOR, RULE_BUDGET, type Program, type Purse } from "./evaluator.ts";
import { denies, Mode, type PolicySubject, type Relief, type Decision, type RuleResult } from "./model.ts";

/** A decision before it is kept. */
export type Judgement = Omit<Decision, "id">;

/**
 * Judges a subject by every rule of the bundle that is asked at its point and matches it. Pure: the same facts, rules, reliefs, time and evaluator give the
 * same judgement, byte for byte. A refusal, a fact that is not known and a rule that can't be evaluated deny as far as the rule and the environment mean it
 * strictly, and no relief that holds now speaks for the subject; with one the answer stays what it is, and does not make the decision deny.
 */
export function judge(subject: PolicySubject, bundle: Bundle, now: Date, reliefs: readonly Relief[]): Judgement {
  const holding = reliefs.filter((relief) => holds(relief, subject, now));
  const results = bundle.rules.filter((rule) => rule.points.includes(subject.point)).flatMap((rule) => ask(rule, subject, holding) ?? []);
  const open = results.filter(({ outcome }) => outcome !== "passed");
  return {
    point: subject.point,
    about: `component:default/${subject.service.name}`,
    outcome: open.some(denies) ? "deny" : open.some(({ mode }) => mode !== "audit") ? "warn" : "allow",
    results,
    subject: digestOf(subject),
    bundle: bundle.digest,
    reliefs: digestOf(reliefs),
    evaluator: EVALUATOR,
    decidedAt: now,
  };
}

/** Whether a relief speaks for the subject now. Its end does not belong to it. */
function holds({ service, environment, from, until }: Relief, subject: PolicySubject, now: Date): boolean {
  const inScope = service === subject.service.name && (environment === null || environment === subject.environment?.name);
  return inScope && new Date(from) <= now && now < new Date(until);
}

/** One rule's answer; undefined where it does not match. */
function ask(rule: Rule, subject: PolicySubject, reliefs: readonly Relief[]): RuleResult | undefined {
  const answer = (outcome: RuleResult["outcome"], message: string, modes: Modes): RuleResult => {
    const mode = modeAt(modes, subject);
    const result: RuleResult = {
      rule: rule.name,
      outcome: outcome === "denied" && mode !== "enforce" ? "warned" : outcome,
      subject: subjectName(subject),
      message,
      fix: outcome === "passed" ? "" : rule.fix,
      mode,
      exceptionsBy: rule.exceptionsBy,
      relievedBy: null,
    };
    const relief =
      denies(result) && rule.exceptionsBy.length > 0
        ? reliefs.find(({ rules }) => rules.includes(rule.name) || rules.includes("*"))
        : undefined;
    return relief ? { ...result, relievedBy: relief.id } : result;
  };
  const purse: Purse = { left: RULE_BUDGET };
  const broken: string[] = [];
  const failed = (error: unknown) =>
    answer("not_evaluable", `The rule could not be evaluated: ${broken[0] ?? firstLine(messageOf(error))}`, rule.unknown);
  try {
    const conditions = rule.matchConditions.map((condition) => attempt(() => boolean(condition, { object: subject }, purse)));
    if (conditions.some((condition) => condition.value === false)) return undefined;
    const erred = conditions.find((condition) => condition.error !== undefined);
    if (erred) return failed(erred.error);
    const bindings = { object: subject, variables: variablesOf(rule, subject, purse, broken) };
    const missing = rule.unknownWhen ? text(rule.unknownWhen, bindings, purse) : "";
    if (missing !== "") return answer("unknown", missing, rule.unknown);
    const refusals = rule.validations.filter((validation) => !boolean(validation.program, bindings, purse));
    if (refusals.length === 0) return answer("passed", rule.description, rule.modes);
    return answer("denied", refusals.map((validation) => messageFor(validation, bindings, purse)).join("; "), rule.modes);
  } catch (error) {
    return failed(error);
  }
}

/** What a decision speaks of, for people. */
const subjectName = ({ service, environment }: PolicySubject): string =>
  `component:default/${service.name}${environment ? ` in ${environment.name}` : ""}`;

/** How strictly a rule is meant where the subject is going: by the most particular place that it names, and no more strictly than the environment allows. */
export function modeAt(modes: Modes, { service, environment }: Pick<PolicySubject, "service" | "environment">): Mode {
  const place = environment?.production ? "production" : environment?.name;
  const keys = [
    ...(place === undefined ? [] : [`${service.tier}/${place}`]),
    service.tier,
    ...(place === undefined ? [] : [place]),
    "default",
  ];
  const mode = keys.map((key) => (Object.hasOwn(modes, key) ? modes[key] : undefined)).find((known) => known !== undefined) ?? "enforce";
  const [most, said] = [Mode.options.indexOf(environment?.mode ?? "enforce"), Mode.options.indexOf(mode)];
  return Mode.options[Math.min(most, said)] ?? "enforce";
}

/** Variables in order. One that fails is left out, so that the failure surfaces where it is used, and may be absorbed there by || and &&. */
function variablesOf(rule: Rule, object: PolicySubject, purse: Purse, broken: string[]): Record<string, unknown> {
  const variables: Record<string, unknown> = {};
  for (const { name, program } of rule.variables) {
    const { value, error } = attempt(() => evaluate(program, { object, variables }, purse));
    if (error === undefined) variables[name] = value;
    else broken.push(`${name}: ${firstLine(messageOf(error))}`);
  }
  return variables;
}

/** As Kubernetes words it: the messageExpression unless it is unusable, then the message, then the expression. */
function messageFor(validation: Rule["validations"][number], bindings: Bindings, purse: Purse): string {
  const { messageProgram, message } = validation;
  const computed = messageProgram ? attempt(() => text(messageProgram, bindings, purse)).value : undefined;
  const usable = computed !== undefined && computed !== "" && !computed.includes("\n") && computed.length <= 5 * 1024;
  return usable ? computed : (message ?? `failed expression: ${validation.program.expression}`);
}

function attempt<T>(body: () => T): { value?: T; error?: unknown } {
  try {
    return { value: body() };
  } catch (error) {
    return { error };
  }
}

type Bindings = Record<string, unknown>;

function boolean(program: Program, bindings: Bindings, purse: Purse): boolean {
  const value = evaluate(program, bindings, purse);
  if (typeof value !== "boolean") throw new TypeError(`${program.expression} gives no bool`);
  return value;
}

function text(program: Program, bindings: Bindings, purse: Purse): string {
  const value = evaluate(program, bindings, purse);
  if (typeof value !== "string") throw new TypeError(`${program.expression} gives no string`);
  return value.trim();
}

const firstLine = (message: string): string => message.split("\n")[0] ?? message;
