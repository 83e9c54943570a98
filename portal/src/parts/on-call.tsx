import { api, useAnswer } from "../api.ts";
import { nameOf } from "./names.ts";
import { Time } from "./time.tsx";

/** Who is on call now, of a service's owner or of every group. */
export const useOnCall = (service?: string) =>
  useAnswer(["on-call", service], () => api.GET("/api/on-call", { params: { query: service === undefined ? {} : { service } } }), {
    refetchInterval: 60_000,
  });

interface Duty {
  people: readonly string[];
  because: string;
  until: string | null;
  next: readonly string[];
}

/** The people, until when, and who comes then; the reason on hover. */
export function Duty({ of: { people, because, until, next } }: { of: Duty }) {
  if (people.length === 0)
    return (
      <span className="tone-warn" title={because}>
        nobody
      </span>
    );
  return (
    <span title={because}>
      {people.slice(0, 4).map(nameOf).join(", ")}
      {people.length > 4 && ` and ${people.length - 4} more`}
      {until && next.length > 0 && (
        <span className="quiet">
          {" "}
          (<Time at={until} /> {next.map(nameOf).join(", ")})
        </span>
      )}
    </span>
  );
}
