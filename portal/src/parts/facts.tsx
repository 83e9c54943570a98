import type { ReactNode } from "react";

/** Short facts side by side: a name and its value each. */
export function Facts({ of }: { of: readonly (readonly [string, ReactNode] | false | null | undefined)[] }) {
  return (
    <dl className="facts">
      {of.map(
        (fact) =>
          fact && (
            <div key={fact[0]}>
              <dt>{fact[0]}</dt>
              <dd>{fact[1]}</dd>
            </div>
          ),
      )}
    </dl>
  );
}
