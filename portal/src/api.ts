import { answer, ApiProblem, connect, type Api } from "@cairn/api";
import { QueryClient, useQuery, useQueryClient, type UseQueryResult } from "@tanstack/react-query";
import { useEffect, useState } from "react";

let csrfToken = "";
/** The session's token against forged requests: sent with each change. */
export const setCsrfToken = (token: string): void => void (csrfToken = token);

export const api: Api = connect({ url: window.location.origin, headers: () => (csrfToken ? { "x-csrf-token": csrfToken } : {}) });

/** One place for what is cached: facts are fresh until the live feed says otherwise. */
export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 15_000,
      retry: (count, error) => !(error instanceof ApiProblem && error.problem.status < 500) && count < 3,
    },
  },
});

/** Asks the API and keeps the answer under `key`; the first word of the key is what the live feed refreshes. */
export function useAnswer<T>(
  key: readonly unknown[],
  ask: () => Promise<{ data?: T; error?: unknown; response: Response }>,
  options: { enabled?: boolean; refetchInterval?: number | false } = {},
): UseQueryResult<T> {
  return useQuery({ queryKey: key, queryFn: () => answer(ask()), ...options });
}

/** Listens to the platform and refetches what is shown when something changed. Gives false while the connection is lost. */
export function useLive(): boolean {
  const client = useQueryClient();
  const [connected, setConnected] = useState(true);
  useEffect(() => {
    const source = new EventSource("/api/live");
    let timer: ReturnType<typeof setTimeout> | undefined;
    const refresh = () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        void client.invalidateQueries();
      }, 300);
    };
    source.addEventListener("ledger", refresh);
    source.addEventListener("runs", refresh);
    source.addEventListener("open", () => setConnected(true));
    source.addEventListener("error", () => setConnected(false));
    return () => {
      clearTimeout(timer);
      source.close();
    };
  }, [client]);
  return connected;
}
