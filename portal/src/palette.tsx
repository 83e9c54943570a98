import { Spotlight, spotlight } from "@mantine/spotlight";
import {
  IconAlertTriangle,
  IconBell,
  IconChecklist,
  IconGitFork,
  IconHammer,
  IconPlus,
  IconServer,
  IconWebhook,
  type Icon,
} from "@tabler/icons-react";
import { useState } from "react";
import { useNavigate } from "react-router";
import { api, useAnswer } from "./api.ts";

export const openPalette = (): void => spotlight.open();

/** What one can do from anywhere. */
const ACTIONS = [
  { name: "Create a service", to: "/create", icon: IconPlus },
  { name: "Bring an existing repository", to: "/create#import", icon: IconGitFork },
  { name: "Report an incident", to: "/incidents?report", icon: IconAlertTriangle },
  { name: "Break the glass", to: "/break-glass", icon: IconHammer },
  { name: "Approvals", to: "/approvals", icon: IconChecklist },
  { name: "Inbox", to: "/inbox", icon: IconBell },
  { name: "Webhooks", to: "/webhooks", icon: IconWebhook },
] as const;

/** Everything one can reach, by name: places, actions, services. The platform searches; the browser holds no list. */
export function Palette({ places }: { places: readonly { name: string; to: string; icon: Icon }[] }) {
  const navigate = useNavigate();
  const [text, setText] = useState("");
  const services = useAnswer(
    ["services", "palette", text],
    () => api.GET("/api/catalog/service-views", { params: { query: { text, limit: 50 } } }),
    { enabled: text.length > 0, keep: true },
  );
  const go = (to: string) => () => {
    spotlight.close();
    void navigate(to);
  };
  const incidents = useAnswer(
    ["incidents", "palette"],
    () => api.GET("/api/incidents", { params: { query: { state: "active", limit: 20 } } }),
    { enabled: text.length > 0, keep: true },
  );
  // Whoever types a name means it more than a word of a description.
  const nearness = (name: string) => (name === text ? 0 : name.startsWith(text) ? 1 : name.includes(text) ? 2 : 3);
  const found = services.data?.items.toSorted((a, b) => nearness(a.name) - nearness(b.name)).slice(0, 8);
  const named = (name: string) => name.toLowerCase().includes(text.toLowerCase());
  const nothing =
    services.data?.items.length === 0 &&
    !(incidents.data?.incidents ?? []).some(({ title, service }) => named(`${title} ${service}`)) &&
    ![...ACTIONS, ...places].some(({ name }) => named(name));
  return (
    <Spotlight.Root
      query={text}
      onQueryChange={setText}
      shortcut={["mod + K"]}
      transitionProps={{ duration: 0 }}
      overlayProps={{ backgroundOpacity: 0.35, blur: 0 }} // a blur of the page behind is drawn anew at each key: 0.2 s without a graphics card
      scrollable
      maxHeight={420}
    >
      <Spotlight.Search placeholder="Search services, places and actions" aria-label="Search" />
      <Spotlight.ActionsList>
        {found?.map((service) => (
          <Spotlight.Action
            key={service.name}
            label={service.name}
            description={service.description}
            leftSection={<IconServer size={16} />}
            onClick={go(`/services/${service.name}`)}
          />
        ))}
        {incidents.data?.incidents
          .filter(({ title, service }) => named(`${title} ${service}`))
          .map(({ id, title, service }) => (
            <Spotlight.Action
              key={id}
              label={title}
              description={`Incident${service ? ` of ${service}` : ""}`}
              leftSection={<IconAlertTriangle size={16} />}
              onClick={go(`/incidents/${id}`)}
            />
          ))}
        {ACTIONS.filter(({ name }) => named(name)).map(({ name, to, icon: Sign }) => (
          <Spotlight.Action key={to} label={name} leftSection={<Sign size={16} />} onClick={go(to)} />
        ))}
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
