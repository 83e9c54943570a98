import { Text } from "@mantine/core";
import type { ReactNode } from "react";

/** A list of things, one line each; on a narrow screen a line wraps instead of scrolling sideways. */
export function Rows({ label, children }: { label?: string; children: ReactNode }) {
  return (
    <ul className="rows" aria-label={label}>
      {children}
    </ul>
  );
}

/** One line: its sign, what it is, a quiet second line, and facts at the right. */
export function Row({ sign, title, below, children }: { sign?: ReactNode; title: ReactNode; below?: ReactNode; children?: ReactNode }) {
  return (
    <li className="row">
      {sign && <div className="row-sign">{sign}</div>}
      <div className="row-main">
        <div className="row-title">{title}</div>
        {below && (
          <Text size="xs" c="dimmed" component="div">
            {below}
          </Text>
        )}
      </div>
      {children && <div className="row-facts">{children}</div>}
    </li>
  );
}
