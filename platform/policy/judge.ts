import { digestOf } from "../kernel/digest.ts";
import { messageOf } from "../kernel/faults.ts";
import { bundleOf, type Action, type Actions, type Bundle, type Rule } from "./bundle.ts";
import { celOf, evaluate, EVALUATOR, type CelValue, type Program } from "./evaluator.ts";
import { PolicySubject, type Decision, type RuleResult } from "./model.ts";

/** A decision before it is kept. */
export type Judgement = Omit<Decision, "id">;

/**
 * Judges a subject by every rule of the bundle that is asked at its point and matches it. Pure: the same facts, rules, time and evaluator give the same
 * judgement, byte for byte. It denies where a rule refuses, or where what it needs is not known or it can't be evaluated, as far as the rule's actions say so.
 */
export function judge(subject: PolicySubject, bundle: Bundle, now: Date): Judgement {
  const object = celOf(subject);
  const answers = bundle.rules.filter((rule) => rule.points.includes(subject.point)).flatMap((rule) => ask(rule, subject, object) ?? []);
  const follows = (action: Action) => answers.some((answer) => answer.follows === action);
  return {
    point: subject.point,
    about: `component:default/${subject.service.name}`,
    outcome: follows("deny") ? "deny" : follows("warn") ? "warn" : "allow",
    results: answers.map(({ result }) => result),
    subject: digestOf(subject),
    bundle: bundle.digest,
    evaluator: EVALUATOR,
    decidedAt: now,
  };
}

/** The judgement of kept documents, as it was when they were kept. */
export const replay = (subject: unknown, bundle: unknown, now: Date): Judgement =>
  judge(PolicySubject.parse(subject), bundleOf(bundle), now);

interface Answer {
  result: RuleResult;
  follows: Action | "nothing";
}

/** One rule's answer; undefined where it does not match. */
function ask(rule: Rule, subject: PolicySubject, object: CelValue): Answer | undefined {
  const answer = (outcome: RuleResult["outcome"], message: string, follows: Answer["follows"]): Answer => ({
    result: { rule: rule.name, outcome, message, fix: outcome === "passed" ? "" : rule.fix },
    follows,
  });
  const broken: string[] = [];
  const failed = (error: unknown) =>
    answer(
      "not_evaluable",
      `The rule could not be evaluated: ${broken[0] ?? firstLine(messageOf(error))}`,
      actionAt(rule.unknown, subject),
    );
  try {
    const conditions = rule.matchConditions.map((condition) => attempt(() => boolean(condition, { object })));
    if (conditions.some((condition) => condition.value === false)) return undefined;
    const erred = conditions.find((condition) => condition.error !== undefined);
    if (erred) return failed(erred.error);
    const bindings = { object, variables: variablesOf(rule, object, broken) };
    const missing = rule.unknownWhen ? text(rule.unknownWhen, bindings) : "";
    if (missing !== "") return answer("unknown", missing, actionAt(rule.unknown, subject));
    const refusals = rule.validations.filter((validation) => !boolean(validation.program, bindings));
    if (refusals.length === 0) return answer("passed", rule.description, "nothing");
    const action = actionAt(rule.actions, subject);
    const message = refusals.map((validation) => messageFor(validation, bindings)).join("; ");
    return answer(action === "deny" ? "denied" : "warned", message, action);
  } catch (error) {
    return failed(error);
  }
}

/** The most particular action for where the subject is going. */
export function actionAt(actions: Actions, { service, environment }: Pick<PolicySubject, "service" | "environment">): Action {
  const place = environment?.production ? "production" : environment?.name;
  const keys = [
    ...(place === undefined ? [] : [`${service.tier}/${place}`]),
    service.tier,
    ...(place === undefined ? [] : [place]),
    "default",
  ];
  return keys.map((key) => (Object.hasOwn(actions, key) ? actions[key] : undefined)).find((action) => action !== undefined) ?? "deny";
}

/** Variables in order. One that fails is left out, so that the failure surfaces where it is used, and may be absorbed there by || and &&. */
function variablesOf(rule: Rule, object: CelValue, broken: string[]): Map<string, CelValue> {
  const variables = new Map<string, CelValue>();
  for (const { name, program } of rule.variables) {
    const { value, error } = attempt(() => evaluate(program, { object, variables }));
    if (error === undefined) variables.set(name, value as CelValue);
    else broken.push(`${name}: ${firstLine(messageOf(error))}`);
  }
  return variables;
}

/** As Kubernetes words it: the messageExpression unless it is unusable, then the message, then the expression. */
function messageFor(validation: Rule["validations"][number], bindings: Record<string, CelValue>): string {
  const { messageProgram, message } = validation;
  const computed = messageProgram ? attempt(() => text(messageProgram, bindings)).value : undefined;
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

function boolean(program: Program, bindings: Record<string, CelValue>): boolean {
  const value = evaluate(program, bindings);
  if (typeof value !== "boolean") throw new TypeError(`${program.expression} gives no bool`);
  return value;
}

function text(program: Program, bindings: Record<string, CelValue>): string {
  const value = evaluate(program, bindings);
  if (typeof value !== "string") throw new TypeError(`${program.expression} gives no string`);
  return value.trim();
}

const firstLine = (message: string): string => message.split("\n")[0] ?? message;
