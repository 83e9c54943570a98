/** Where one is, while a page's files are on their way; index.html paints the same before any of ours is there. `ofShell` leaves room for the burger of small screens. */
export function Brand({ ofShell = false }: { ofShell?: boolean }) {
  return (
    <header className={ofShell ? "brand brand-of-shell" : "brand"}>
      <img src="/assets/cairn.svg" alt="" width={22} height={22} />
      Cairn
    </header>
  );
}
