import type { TreeFile } from "../kernel/file-tree.ts";

const JUNIT = `<testsuites><testsuite name="checks"><testcase name="answers"/><testcase name="is quick"/></testsuite></testsuites>`;

/** A project in no language: a shell script, tested by another. `ci` replaces members of cairn.yaml's ci; null takes one away. */
export function aProject(ci: Record<string, unknown> = {}, files: Record<string, string> = {}): Record<string, string> {
  const declared = {
    build: "mkdir -p dist && cp serve.sh dist/serve.sh && chmod +x dist/serve.sh",
    test: "sh test.sh",
    junit: "reports/junit.xml",
    include: ["dist"],
    timeoutSeconds: 60,
    ...ci,
  };
  return {
    "cairn.yaml": JSON.stringify(
      {
        apiVersion: "cairn.dev/v1",
        kind: "Contract",
        ci: Object.fromEntries(Object.entries(declared).filter(([, value]) => value !== null)),
        start: "sh dist/serve.sh",
      },
      null,
      2,
    ),
    "serve.sh": "#!/bin/sh\nexec nc -l $PORT\n",
    "test.sh": `mkdir -p reports && printf '%s' '${JUNIT}' > reports/junit.xml\n`,
    ...files,
  };
}

export const treeOf = (files: Record<string, string>): TreeFile[] =>
  Object.entries(files).map(([path, content]) => ({ path, content, mode: "100644", encoding: "utf8" }));
