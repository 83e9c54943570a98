import { serviceName } from "../catalog/model.ts";
import { answerRefused } from "./faults.ts";
import type { Answers, Parameter, Template } from "./model.ts";

const MAX_LENGTH = 1000;
/** Control characters, line and paragraph separators, lone surrogates, and what turns the direction of text round. */
// oxlint-disable-next-line no-control-regex
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/u;

/**
 * The answer to each question: as given, else its default. Throws `golden_paths.answer_refused` with the parameter's name and what is allowed: for one
 * that is missing, not asked for, of another type, or against the parameter's rules. `service_name` also keeps the catalog's rule for names.
 */
export function checkAnswers(template: Template, given: Readonly<Record<string, unknown>>): Answers {
  const asked = template.parameters.map(({ name }) => name);
  for (const name of Object.keys(given))
    if (!asked.includes(name)) throw answerRefused(name, `golden path ${template.name} does not ask this`, `It asks: ${asked.join(", ")}.`);
  return Object.fromEntries(
    template.parameters.map((parameter) => [
      parameter.name,
      answerTo(parameter, Object.hasOwn(given, parameter.name) ? given[parameter.name] : undefined),
    ]),
  );
}

function answerTo(parameter: Parameter, given: unknown): string | boolean {
  if (given === undefined || given === null) {
    if (parameter.default !== undefined) return parameter.default;
    if (parameter.required) throw unanswered(parameter);
    return parameter.type === "boolean" ? false : "";
  }
  if (parameter.type === "boolean") {
    if (typeof given !== "boolean")
      throw answerRefused(parameter.name, `${JSON.stringify(given)} is not true or false`, allowed(parameter));
    return given;
  }
  if (typeof given !== "string") throw answerRefused(parameter.name, `${JSON.stringify(given)} is not text`, allowed(parameter));
  if (parameter.type === "choice") {
    if (!parameter.choices.includes(given))
      throw answerRefused(parameter.name, `${JSON.stringify(given)} is not one of the choices`, allowed(parameter));
    return given;
  }
  if (given.length > MAX_LENGTH) throw answerRefused(parameter.name, `${given.length} characters`, `At most ${MAX_LENGTH} characters.`);
  if (UNPRINTABLE.test(given))
    throw answerRefused(parameter.name, "it holds a line break or a control character", "One line of printable text.");
  if (given.trim() === "" && parameter.required) throw unanswered(parameter);
  if (parameter.pattern !== undefined && !new RegExp(parameter.pattern, "u").test(given))
    throw answerRefused(parameter.name, `${JSON.stringify(given)} does not match ${parameter.pattern}`, allowed(parameter));
  if (parameter.name === "service_name") {
    const name = serviceName.safeParse(given);
    if (!name.success)
      throw answerRefused(parameter.name, `Kubernetes or the catalog would refuse ${JSON.stringify(given)}`, `Allowed: ${SERVICE_NAME}.`);
  }
  return given;
}

const unanswered = (parameter: Parameter) =>
  answerRefused(
    parameter.name,
    "an answer is required",
    [parameter.description && `${parameter.description.replace(/\.$/, "")}.`, allowed(parameter)].filter(Boolean).join(" "),
  );

const SERVICE_NAME =
  "lower-case letters, digits and hyphens; it begins with a letter, does not end in a hyphen, and has at most 63 characters";

function allowed(parameter: Parameter): string {
  if (parameter.type === "boolean") return "Allowed: true or false.";
  if (parameter.type === "choice") return `Allowed: ${parameter.choices.join(", ")}.`;
  if (parameter.name === "service_name") return `Allowed: ${SERVICE_NAME}.`;
  return parameter.pattern === undefined ? "Allowed: one line of text." : `Allowed: text that matches ${parameter.pattern}.`;
}
