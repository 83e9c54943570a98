import { Spotlight, spotlight } from "@mantine/spotlight";
import { IconPlus, IconServer, type Icon } from "@tabler/icons-react";
import { useState } from "react";
import { useNavigate } from "react-router";
import { api, useAnswer } from "./api.ts";

export const openPalette = (): void => spotlight.open();

/** Everything one can reach, by name: places, actions, services. The platform searches; the browser holds no list. */
export function Palette({ places }: { places: readonly { name: string; to: string; icon: Icon }[] }) {
  const navigate = useNavigate();
  const [text, setText] = useState("");
  const services = useAnswer(
    ["services", "palette", text],
    () => api.GET("/api/catalog/service-views", { params: { query: { text, limit: 8 } } }),
    { enabled: text.length > 0, keep: true },
  );
  const go = (to: string) => () => {
    spotlight.close();
    void navigate(to);
  };
  const named = (name: string) => name.toLowerCase().includes(text.toLowerCase());
  const nothing = services.data?.items.length === 0 && !named("Create a service") && !places.some(({ name }) => named(name));
  return (
    <Spotlight.Root
      query={text}
      onQueryChange={setText}
      shortcut={["mod + K"]}
      transitionProps={{ duration: 0 }}
      scrollable
      maxHeight={420}
    >
      <Spotlight.Search placeholder="Search services, places and actions" aria-label="Search" />
      <Spotlight.ActionsList>
        {services.data?.items.map((service) => (
          <Spotlight.Action
            key={service.name}
            label={service.name}
            description={service.description}
            leftSection={<IconServer size={16} />}
            onClick={go(`/services/${service.name}`)}
          />
        ))}
        {named("Create a service") && (
          <Spotlight.Action label="Create a service" leftSection={<IconPlus size={16} />} onClick={go("/create")} />
        )}
        {places
          .filter(({ name }) => named(name))
          .map(({ name, to, icon: Sign }) => (
            <Spotlight.Action key={to} label={name} leftSection={<Sign size={16} />} onClick={go(to)} />
          ))}
        {nothing && <Spotlight.Empty>Nothing is called that</Spotlight.Empty>}
      </Spotlight.ActionsList>
    </Spotlight.Root>
  );
}
