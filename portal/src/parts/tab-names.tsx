import { Tabs } from "@mantine/core";
import { useEffect, useRef } from "react";

/** The names of a page's tabs, in one line. Where that is too long, the one that is shown is moved into sight. */
export function TabNames<T extends string>({ tabs, shown, titleOf }: { tabs: readonly T[]; shown: T; titleOf: (tab: T) => string }) {
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [shown]);
  return (
    <Tabs.List mb="lg" ref={list}>
      {tabs.map((tab) => (
        <Tabs.Tab key={tab} value={tab}>
          {titleOf(tab)}
        </Tabs.Tab>
      ))}
    </Tabs.List>
  );
}
