/** A text of a Score file, taken apart: literal text, and placeholders as their path (`resources.db.uri` is ["resources", "db", "uri"]). */
export type Part = { text: string } | { placeholder: string[] };

/** Takes a text apart. `${a.b}` is a placeholder, `$${` stands for `${` itself; a dot in a name is written `\.`. Source: Score specification, "Placeholder references". */
export function partsOf(text: string): Part[] {
  const parts: Part[] = [];
  let literal = "";
  let from = 0;
  for (const found of text.matchAll(/\$(\$|\{([^}]*)\})/g)) {
    literal += text.slice(from, found.index);
    from = found.index + found[0].length;
    if (found[1] === "$") {
      literal += "$";
      continue;
    }
    if (literal !== "") parts.push({ text: literal });
    literal = "";
    parts.push({ placeholder: (found[2] ?? "").split(/(?<!\\)\./).map((name) => name.replaceAll("\\.", ".")) });
  }
  literal += text.slice(from);
  if (literal !== "") parts.push({ text: literal });
  return parts;
}
