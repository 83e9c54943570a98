import type { Call } from "./calls.ts";
import type { DependencyView } from "./model.ts";

/** A dependency as the catalog has it, seen from one of its ends. */
export interface Declared {
  /** The other end: a service's name, or another entity's reference. */
  other: string;
  type: string;
  isCritical: boolean;
}

/** What is declared beside what the proxy saw. Only calls to services go through it: of a database or anything else it knows nothing. */
export function dependencyView(
  service: string,
  declared: { needs: readonly Declared[]; neededBy: readonly Declared[] },
  calls: readonly Call[],
): DependencyView {
  const into = calls.filter((call) => call.service === service);
  const byService = into.filter(({ caller }) => caller.includes("/"));
  const outOf = calls.filter(({ caller }) => caller.split("/")[0] === service && caller.includes("/"));
  return {
    service,
    needs: edges(declared.needs, outOf, (call) => call.service),
    neededBy: edges(declared.neededBy, byService, ({ caller }) => caller.split("/")[0] ?? ""),
    others: into
      .filter(({ caller }) => !caller.includes("/"))
      .map(({ environment, caller, requests, lastAt }) => ({
        environment,
        who: caller === "outside" ? "outside" : "unknown",
        requests,
        lastAt,
      })),
  };
}

function edges(declared: readonly Declared[], calls: readonly Call[], otherOf: (call: Call) => string): DependencyView["needs"] {
  const names = [...new Set([...declared.map(({ other }) => other), ...calls.map(otherOf)])].sort();
  return names.map((other) => {
    const own = declared.find((one) => one.other === other);
    const observed = calls
      .filter((call) => otherOf(call) === other)
      .map(({ caller, environment, requests, firstAt, lastAt }) => ({
        from: caller.split("/")[1] ?? "",
        to: environment,
        requests,
        firstAt,
        lastAt,
      }));
    const isMeasured = !other.includes(":");
    return {
      other,
      type: own?.type ?? null,
      isCritical: own?.isCritical ?? false,
      observed,
      state: !isMeasured ? "not_measured" : !own ? "not_declared" : observed.length > 0 ? "called" : "not_called",
    };
  });
}
