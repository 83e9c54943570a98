import { Anchor, Code } from "@mantine/core";
import type { ReactNode } from "react";

/** The Markdown that documents of a repository are mostly made of: headings, paragraphs, lists, code, links. HTML is shown as text, comments are left out. */
export function Markdown({ text }: { text: string }) {
  return <div className="prose">{blocks(text.replace(/<!--[\s\S]*?-->/g, "")).map(render)}</div>;
}

type Block =
  | { kind: "heading"; level: number; text: string }
  | { kind: "code"; text: string }
  | { kind: "list"; ordered: boolean; items: string[] }
  | { kind: "text"; text: string };

function blocks(text: string): Block[] {
  const found: Block[] = [];
  const lines = text.split("\n");
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    const last = found.at(-1);
    const begun = at > 0 && lines[at - 1]?.trim() !== "";
    const heading = /^(#{1,6})\s+(.*)$/.exec(line);
    const item = /^\s*(?:[-*]|(\d+)\.)\s+(.*)$/.exec(line);
    if (line.startsWith("```")) {
      const end = lines.findIndex((each, later) => later > at && each.startsWith("```"));
      const stop = end === -1 ? lines.length : end;
      found.push({ kind: "code", text: lines.slice(at + 1, stop).join("\n") });
      at = stop;
    } else if (heading) found.push({ kind: "heading", level: heading[1]?.length ?? 1, text: heading[2] ?? "" });
    else if (item) {
      const ordered = item[1] !== undefined;
      if (last?.kind === "list" && last.ordered === ordered) last.items.push(item[2] ?? "");
      else found.push({ kind: "list", ordered, items: [item[2] ?? ""] });
    } else if (line.trim() !== "") {
      if (last?.kind === "text" && begun) last.text += ` ${line.trim()}`;
      else if (last?.kind === "list" && begun) last.items.push(`${last.items.pop()} ${line.trim()}`);
      else found.push({ kind: "text", text: line.trim() });
    }
  }
  return found;
}

function render(block: Block, key: number): ReactNode {
  if (block.kind === "code")
    return (
      <Code block key={key} tabIndex={0}>
        {block.text}
      </Code>
    );
  if (block.kind === "list") {
    const List = block.ordered ? "ol" : "ul";
    return (
      <List key={key}>
        {block.items.map((item, at) => (
          <li key={at}>{inline(item)}</li>
        ))}
      </List>
    ); // oxlint-disable-line react/no-array-index-key -- a document's parts have no other identity
  }
  if (block.kind === "text") return <p key={key}>{inline(block.text)}</p>;
  const Heading = block.level === 1 ? "h2" : block.level === 2 ? "h3" : "h4";
  return <Heading key={key}>{inline(block.text)}</Heading>;
}

const INLINE = /`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\(([^)\s]+)\)|(https?:\/\/[^\s<>)]+[^\s<>).,:;])/g;

function inline(text: string): ReactNode[] {
  const parts: ReactNode[] = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    parts.push(text.slice(from, match.index));
    from = match.index + match[0].length;
    const [, code, bold, label, target, url] = match;
    const href = target ?? url ?? "";
    if (code !== undefined) parts.push(<Code key={from}>{code}</Code>);
    else if (bold !== undefined) parts.push(<strong key={from}>{bold}</strong>);
    else if (/^https?:\/\//.test(href))
      parts.push(
        <Anchor key={from} href={href} underline="always" rel="noreferrer">
          {label ?? url}
        </Anchor>,
      );
    else parts.push(label);
  }
  return [...parts, text.slice(from)];
}
