import { shortDigest } from "./names.ts";
import { CopyButton } from "@mantine/core";

/** A digest or id: short, monospaced, copied whole by a click. */
export function Digest({ of, length = 12 }: { of: string | null | undefined; length?: number }) {
  if (!of) return <span>–</span>;
  const short = shortDigest(of).slice(0, length);
  return (
    <CopyButton value={of}>
      {({ copied, copy }) => (
        <button type="button" className="digest mono" onClick={copy} aria-label={`Copy ${short}`} title={`Copy ${of}`} data-copied={copied}>
          {short}
        </button>
      )}
    </CopyButton>
  );
}
