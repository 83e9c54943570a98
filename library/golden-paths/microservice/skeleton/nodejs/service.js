import { createServer } from "node:http";

export const service = createServer((request, response) => response.end(request.url === "/healthz" ? "ok\n" : "{{ service_name }}\n"));
