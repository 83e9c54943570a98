import { useElementSize } from "@mantine/hooks";
import { Link } from "react-router";

/** How a line between two things stands: as declared and called, or as a change would make it. */
export type EdgeLook = "called" | "not_called" | "not_declared" | "not_measured" | "added" | "removed";

export interface GraphNode {
  id: string;
  name: string;
  /** A second line: its kind, or how often it was called. */
  says: string;
  to?: string | undefined;
  look: EdgeLook;
  isCritical?: boolean;
}

const WORD: Record<EdgeLook, string> = {
  called: "declared and called",
  not_called: "declared, no call seen",
  not_declared: "called, not declared",
  not_measured: "declared, not measured",
  added: "added",
  removed: "removed",
};
const HEIGHT = 46;
const GAP = 14;
const AISLE = 92;
const WIDEST = 176;
/** From here on it is drawn in three columns. */
const THREE_COLUMNS = 3 * WIDEST + 2 * AISLE;
const SHOWN = 12;

interface Place {
  x: number;
  y: number;
}

/**
 * One thing with what needs it and what it needs: callers before it, needs behind it; on a narrow screen above and below. What it shows stands
 * beside it as a list too: for readers of the screen the drawing is only its links.
 */
export function Graph(props: { of: string; before: readonly GraphNode[]; after: readonly GraphNode[]; label: string }) {
  const { ref, width: measured } = useElementSize();
  // The height must be right before anything is measured, or what stands below jumps; at first it may be measured as its border alone.
  const width = measured > 100 ? measured : Math.max(280, Math.min(1120, window.innerWidth - (window.innerWidth < 768 ? 42 : 238)));
  const before = props.before.slice(0, SHOWN);
  const after = props.after.slice(0, SHOWN);
  const isWide = width >= THREE_COLUMNS;
  const drawn = isWide ? across(width, before, after) : down(width, before, after);
  const { size } = drawn;
  const looks = [...new Set([...before, ...after].map(({ look }) => look))];
  const hidden = props.before.length - before.length + props.after.length - after.length;
  return (
    <figure className="panel graph" ref={ref} aria-label={props.label}>
      <svg width="100%" height={drawn.height} role="group" aria-label={props.label}>
        <defs>
          {looks.map((look) => (
            <marker key={look} id={`tip-${look}`} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
              <path d="M0 0 L8 4 L0 8 z" className={`tip tip-${look}`} />
            </marker>
          ))}
        </defs>
        {[...before, ...after].map((node, at) => {
          const place = drawn.places[at] ?? { x: 0, y: 0 };
          const [from, to] = at < before.length ? [place, drawn.own] : [drawn.own, place];
          return (
            <path
              key={`${at < before.length} ${node.id}`}
              d={curve(from, to, size, isWide)}
              className={`edge edge-${node.look}${node.isCritical ? " edge-critical" : ""}`}
              markerEnd={`url(#tip-${node.look})`}
              aria-hidden
            />
          );
        })}
        <Box place={drawn.own} width={size} name={props.of} says="" isOwn />
        {[...before, ...after].map((node, at) => (
          <Box key={`${at < before.length} ${node.id}`} place={drawn.places[at] ?? { x: 0, y: 0 }} width={size} {...node} />
        ))}
      </svg>
      <figcaption>
        {looks.map((look) => (
          <span key={look}>
            <svg width="34" height="10" aria-hidden>
              <path d="M0 5 H34" className={`edge edge-${look}`} />
            </svg>
            {WORD[look]}
          </span>
        ))}
        {hidden > 0 && <span>and {hidden} more in the list</span>}
      </figcaption>
    </figure>
  );
}

function Box(props: { place: Place; width: number; name: string; says: string; to?: string | undefined; isOwn?: boolean }) {
  const { place, width, name, says, to, isOwn = false } = props;
  const box = (
    <g transform={`translate(${place.x} ${place.y})`} className={isOwn ? "node node-own" : "node"}>
      <title>{says ? `${name}: ${says}` : name}</title>
      <rect width={width} height={HEIGHT} rx="7" />
      <text x="12" y={says ? 20 : 28} className="node-name">
        {short(name, Math.floor(width / 8))}
      </text>
      {says && (
        <text x="12" y="36" className="node-says">
          {short(says, Math.floor(width / 7))}
        </text>
      )}
    </g>
  );
  return to === undefined ? box : <Link to={to}>{box}</Link>;
}

const short = (text: string, length: number): string => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

/** Three columns, each in the middle of the height, and no further apart than the eye follows. */
function across(width: number, before: readonly unknown[], after: readonly unknown[]) {
  const rows = Math.max(before.length, after.length, 1);
  const height = rows * (HEIGHT + GAP) + GAP;
  const column = (count: number, x: number) =>
    Array.from({ length: count }, (_none, at) => ({ x, y: (height - count * (HEIGHT + GAP) + GAP) / 2 + at * (HEIGHT + GAP) }));
  const size = Math.min(WIDEST + 44, (width - 2 * AISLE - 2 * GAP) / 3);
  const aisle = Math.min(2 * AISLE, (width - 3 * size - 2 * GAP) / 2);
  // A side that has nothing takes no room.
  const shift = before.length === 0 ? -1 : after.length === 0 ? 1 : 0;
  const middle = (width - size) / 2 + (shift * (size + aisle)) / 2;
  return {
    size,
    height,
    own: { x: middle, y: (height - HEIGHT) / 2 },
    places: [...column(before.length, middle - aisle - size), ...column(after.length, middle + size + aisle)],
  };
}

/** Above each other: what needs it, itself, what it needs; two beside each other, so that no line goes through a third. */
function down(width: number, before: readonly unknown[], after: readonly unknown[]) {
  const size = Math.min(WIDEST, (width - 3 * GAP) / 2);
  const rowsOf = (count: number) => Math.ceil(count / 2);
  const rows = (count: number, y: number) =>
    Array.from({ length: count }, (_none, at) => ({
      x: count === 1 ? (width - size) / 2 : width / 2 + (at % 2 === 0 ? -size - GAP / 2 : GAP / 2),
      y: y + Math.floor(at / 2) * (HEIGHT + GAP),
    }));
  const own = { x: (width - size) / 2, y: GAP + (before.length > 0 ? rowsOf(before.length) * (HEIGHT + GAP) + AISLE / 2 : 0) };
  const below = own.y + HEIGHT + AISLE / 2 + GAP;
  return {
    size,
    height: (after.length > 0 ? below + rowsOf(after.length) * (HEIGHT + GAP) : own.y + HEIGHT + GAP) + 2,
    own,
    places: [...rows(before.length, GAP), ...rows(after.length, below)],
  };
}

function curve(from: Place, to: Place, size: number, isWide: boolean): string {
  if (isWide) {
    const [x1, y1, x2, y2] = [from.x + size, from.y + HEIGHT / 2, to.x - 3, to.y + HEIGHT / 2];
    const bend = (x1 + x2) / 2;
    return `M${x1} ${y1} C${bend} ${y1} ${bend} ${y2} ${x2} ${y2}`;
  }
  const [x1, y1, x2, y2] = [from.x + size / 2, from.y + HEIGHT, to.x + size / 2, to.y - 3];
  const bend = (y1 + y2) / 2;
  return `M${x1} ${y1} C${x1} ${bend} ${x2} ${bend} ${x2} ${y2}`;
}
