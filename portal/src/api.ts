import { answer, ApiProblem, connect, type Api } from "@cairn/api";
import { keepPreviousData, QueryClient, useQuery, useQueryClient, type UseQueryResult } from "@tanstack/react-query";
import { useEffect, useState } from "react";

let csrfToken = "";
/** The session's token against forged requests: sent with each change. */
export const setCsrfToken = (token: string): void => void (csrfToken = token);

const csrfHeaders = (): Record<string, string> => (csrfToken ? { "x-csrf-token": csrfToken } : {});
export const api: Api = connect({ url: window.location.origin, headers: csrfHeaders });

/** Carries out an operation that the API itself has named, such as a way back. */
export async function carryOut({ method, path, body }: { method: string; path: string; body: Record<string, unknown> }): Promise<unknown> {
  const response = await fetch(new URL(path, window.location.origin), {
    method,
    headers: { ...csrfHeaders(), "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const data: unknown = await response.json().catch(() => undefined);
  return answer(Promise.resolve(response.ok ? { data, response } : { error: data, response }));
}

const isRefusal = (error: unknown): boolean => error instanceof ApiProblem && error.problem.status < 500;

/** One place for what is cached: facts are fresh until the live feed says otherwise. */
export const queries = new QueryClient({
  defaultOptions: { queries: { staleTime: 15_000, retry: (count, error) => !isRefusal(error) && count < 2 } },
});

/** Asks the API and keeps the answer under `key`. */
export function useAnswer<T>(
  key: readonly unknown[],
  ask: () => Promise<{ data?: T; error?: unknown; response: Response }>,
  options: { enabled?: boolean; refetchInterval?: number | false; keep?: boolean } = {},
): UseQueryResult<T> {
  const { keep, ...rest } = options;
  return useQuery({ queryKey: key, queryFn: () => answer(ask()), ...(keep && { placeholderData: keepPreviousData }), ...rest });
}

/** What changes only with a new version of the platform, or never. */
const STEADY = new Set(["golden-paths", "decisions", "file", "diff", "graph"]);
/** Where much happens at once, what is shown is asked for again so often at most. */
const SETTLE_MS = 250;
const BREATHE_MS = 2000;

/** Listens to the platform and refetches what is shown when something changed. Gives false while the connection is lost. */
export function useLive(): boolean {
  const client = useQueryClient();
  const [connected, setConnected] = useState(true);
  useEffect(() => {
    let source: EventSource | undefined;
    let refreshing: ReturnType<typeof setTimeout> | undefined;
    let opening: ReturnType<typeof setTimeout> | undefined;
    let lost = false;
    let last = Number.NEGATIVE_INFINITY;
    const refresh = () => {
      refreshing ??= setTimeout(
        () => {
          refreshing = undefined;
          last = performance.now();
          void client.invalidateQueries({ predicate: ({ queryKey }) => !STEADY.has(String(queryKey[0])) });
        },
        Math.max(SETTLE_MS, last + BREATHE_MS - performance.now()),
      );
    };
    const open = () => {
      source = new EventSource("/api/live");
      source.addEventListener("ledger", refresh);
      source.addEventListener("runs", refresh);
      source.addEventListener("scores", refresh);
      source.addEventListener("open", () => {
        if (lost) refresh();
        lost = false;
        setConnected(true);
      });
      source.addEventListener("error", () => {
        lost = true;
        setConnected(false);
        // The browser tries again by itself, except after a refusal.
        if (source?.readyState === EventSource.CLOSED) opening = setTimeout(open, 2000);
      });
    };
    open();
    return () => {
      clearTimeout(refreshing);
      clearTimeout(opening);
      source?.close();
    };
  }, [client]);
  return connected;
}
