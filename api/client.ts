import createClient, { type Client } from "openapi-fetch";
import type { operations, paths } from "./schema.ts";


/** What every refusal of the API looks like (RFC 9457). */
export interface Problem {
  title: string;
  status: number;
  detail: string;
  code: string;
  next: string;
  errors?: { path: string; message: string }[];
}

export type Api = Client<paths>;

/** A client of the platform at `url`. Without a token it sends the browser's session; `headers` is asked anew for each request. */
export const connect = (options: { url: string; token?: string; headers?: () => Record<string, string> }): Api => {
  const client = createClient<paths>({ baseUrl: options.url.replace(/\/$/, ""), ...(options.token && { headers: { authorization: `Bearer ${options.token}` } }) });
  if (options.headers) {
    const headers = options.headers;
    client.use({
      onRequest({ request }) {
        for (const [name, value] of Object.entries(headers())) request.headers.set(name, value);
        return request;
      },
    });
  }
  return client;
};

/** A refusal of the API, thrown by `answer`. */
export class ApiProblem extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

/** The data of an answer; throws `ApiProblem` for a refusal. */
export async function answer<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await call;
  if (response.ok) return data as T;
  throw new ApiProblem(isProblem(error) ? error : { title: "http.failed", status: response.status, detail: `The server answered ${response.status}`, code: "http.failed", next: "Look at the server's log." });
}

const isProblem = (value: unknown): value is Problem => typeof value === "object" && value !== null && "code" in value && "detail" in value;

type Body<R> = R extends { content: { "application/json": infer T } } ? T : never;
type Success<R> = R extends { 200: infer A } ? Body<A> : R extends { 201: infer B } ? Body<B> : R extends { 202: infer C } ? Body<C> : never;

/** What an operation answers when it succeeds, by its operationId. */
export type Answered<O extends keyof operations> = operations[O] extends { responses: infer R } ? Success<R> : never;
