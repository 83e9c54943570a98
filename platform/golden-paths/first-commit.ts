import type { TreeFile } from "../kernel/file-tree.ts";

/**
 * The files of a repository's first commit: enough to claim the name and the owner, and no more. All else comes by the first change request, where it can be reviewed.
 * `owner` is the name of a group.
 */
export function firstCommit(service: { name: string; owner: string; description: string; tier: string }): TreeFile[] {
  const { name, owner, description, tier } = service;
  return [
    file("CODEOWNERS", `* @${owner}\n`),
    file("README.md", `# ${name}\n\n${description}\n\nOwned by ${owner}. The code comes with the first change request.\n`),
    file(
      "catalog-info.yaml",
      `apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: ${name}
  description: ${JSON.stringify(description)}
  labels:
    cairn.dev/tier: ${tier}
spec:
  type: service
  lifecycle: experimental
  owner: group:default/${owner}
`,
    ),
  ];
}

const file = (path: string, content: string): TreeFile => ({ path, mode: "100644", encoding: "utf8", content });
