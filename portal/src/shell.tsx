import {
  ActionIcon,
  Alert,
  Anchor,
  AppShell,
  Burger,
  Button,
  Container,
  Group,
  Indicator,
  Kbd,
  Menu,
  Modal,
  NavLink,
  Table,
  Text,
} from "@mantine/core";
import { useDisclosure, useHotkeys } from "@mantine/hooks";
import {
  IconAlertTriangle,
  IconBell,
  IconGitPullRequest,
  IconChartBar,
  IconClipboardCheck,
  IconHome,
  IconListCheck,
  IconPlus,
  IconRocket,
  IconSearch,
  IconServer,
  IconShieldCheck,
  IconUser,
  IconUsers,
} from "@tabler/icons-react";
import { answer, ApiProblem } from "@cairn/api";
import { useEffect } from "react";
import { Link, Navigate, Outlet, useLocation, useNavigate } from "react-router";
import { api, queries, setCsrfToken, useAnswer, useLive } from "./api.ts";
import { openPalette, Palette } from "./palette.tsx";
import { Answered } from "./parts/page.tsx";

const PLACES = [
  { name: "Home", to: "/", icon: IconHome, keys: "g h" },
  { name: "Services", to: "/services", icon: IconServer, keys: "g s" },
  { name: "Changes", to: "/changes", icon: IconGitPullRequest, keys: "g r" },
  { name: "Releases", to: "/releases", icon: IconRocket, keys: "g d" },
  { name: "Incidents", to: "/incidents", icon: IconAlertTriangle, keys: "g n" },
  { name: "Delivery", to: "/dora", icon: IconChartBar, keys: "g m" },
  { name: "Scorecards", to: "/scorecards", icon: IconClipboardCheck, keys: "g k" },
  { name: "Policies", to: "/policies", icon: IconShieldCheck, keys: "g p" },
  { name: "Teams", to: "/teams", icon: IconUsers, keys: "g t" },
  { name: "Audit", to: "/audit", icon: IconListCheck, keys: "g a" },
] as const;

/** What stands around every page: where one can go, who one is, and whether what one sees is live. */
export function Shell() {
  const [navigation, { toggle, close }] = useDisclosure(false);
  const [help, helpHandlers] = useDisclosure(false);
  const location = useLocation();
  const me = useAnswer(["me"], () => api.GET("/api/auth/me"));
  setCsrfToken(me.data?.csrfToken ?? "");
  useEffect(close, [location.pathname, close]);
  useShortcuts(helpHandlers.toggle);
  if (me.error instanceof ApiProblem && me.error.problem.status === 401)
    return <Navigate to={`/login?then=${encodeURIComponent(location.pathname + location.search)}`} replace />;
  return (
    <AppShell header={{ height: 52 }} navbar={{ width: 196, breakpoint: "sm", collapsed: { mobile: !navigation } }} padding="lg">
      <a className="skip" href="#content">
        Skip to content
      </a>
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="xs" wrap="nowrap">
            <Burger opened={navigation} onClick={toggle} hiddenFrom="sm" size="sm" aria-label="Navigation" aria-expanded={navigation} />
            <Anchor component={Link} to="/" underline="never" c="inherit" fw={700} size="md">
              <Group gap={8} wrap="nowrap">
                <img src="/assets/cairn.svg" alt="" width={22} height={22} />
                Cairn
              </Group>
            </Anchor>
          </Group>
          <Group gap="xs" wrap="nowrap">
            <Button
              variant="default"
              size="xs"
              fw={400}
              onClick={openPalette}
              leftSection={<IconSearch size={14} aria-hidden />}
              rightSection={<Kbd size="xs">Ctrl K</Kbd>}
              visibleFrom="sm"
              aria-keyshortcuts="Control+K"
            >
              Search
            </Button>
            <ActionIcon variant="default" size={30} onClick={openPalette} hiddenFrom="sm" aria-label="Search">
              <IconSearch size={16} />
            </ActionIcon>
            <Button component={Link} to="/create" size="xs" leftSection={<IconPlus size={14} aria-hidden />}>
              Create
            </Button>
            <Bell />
            <Menu position="bottom-end">
              <Menu.Target>
                <ActionIcon variant="subtle" color="gray" size={30} aria-label="Account">
                  <IconUser size={18} />
                </ActionIcon>
              </Menu.Target>
              <Menu.Dropdown>
                <Menu.Label>{me.data?.principal.displayName ?? "Account"}</Menu.Label>
                <Menu.Item onClick={helpHandlers.open}>Keyboard shortcuts</Menu.Item>
                <Menu.Item component="a" href="/openapi.json">
                  API description
                </Menu.Item>
                <Menu.Divider />
                <Menu.Item onClick={() => void signOut()}>Sign out</Menu.Item>
              </Menu.Dropdown>
            </Menu>
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label="Main">
        {PLACES.map(({ name, to, icon: Sign }) => {
          const here = to === "/" ? location.pathname === "/" : location.pathname.startsWith(to);
          return (
            <NavLink
              key={to}
              component={Link}
              to={to}
              label={name}
              leftSection={<Sign size={16} aria-hidden />}
              active={here}
              aria-current={here ? "page" : undefined}
              py={7}
            />
          );
        })}
      </AppShell.Navbar>
      <AppShell.Main id="content" tabIndex={-1}>
        <Container size={1120} px={0}>
          <Connection />
          <Answered query={me}>{() => <Outlet />}</Answered>
        </Container>
      </AppShell.Main>
      <Palette places={PLACES} />
      <Modal opened={help} onClose={helpHandlers.close} title="Keyboard shortcuts">
        <Table>
          <Table.Tbody>
            {[
              ["Ctrl K or /", "Search everything"],
              ["c", "Create a service"],
              ["g i", "Inbox"],
              ...PLACES.map(({ name, keys }) => [keys, name]),
              ["?", "This help"],
            ].map(([keys, what]) => (
              <Table.Tr key={keys}>
                <Table.Td>
                  <Kbd>{keys}</Kbd>
                </Table.Td>
                <Table.Td>{what}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Modal>
    </AppShell>
  );
}

/** How much the one who is signed in has not read. */
function Bell() {
  const inbox = useAnswer(["inbox", "count"], () => api.GET("/api/inbox", { params: { query: { limit: 1 } } }), {
    refetchInterval: 60_000,
  });
  const unread = inbox.data?.unread ?? 0;
  return (
    <Indicator label={unread > 99 ? "99+" : unread} disabled={unread === 0} size={16} color="red.8" offset={4}>
      <ActionIcon
        component={Link}
        to="/inbox"
        variant="subtle"
        color="gray"
        size={30}
        aria-label={unread === 0 ? "Inbox" : `Inbox, ${unread} unread`}
      >
        <IconBell size={18} />
      </ActionIcon>
    </Indicator>
  );
}

function Connection() {
  const connected = useLive();
  if (connected) return null;
  return (
    <Alert color="orange" variant="outline" mb="md" role="status" title="The connection is lost">
      <Text>What you see may be old. It reconnects by itself.</Text>
    </Alert>
  );
}

/** `g` and a letter goes somewhere, as on GitHub; never while somebody types. */
function useShortcuts(showHelp: () => void) {
  const navigate = useNavigate();
  useHotkeys([
    ["slash", openPalette],
    ["c", () => void navigate("/create")],
  ]);
  useEffect(() => {
    let begun = Number.NEGATIVE_INFINITY;
    const onKey = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (target.closest("input, textarea, select, [contenteditable]") || event.ctrlKey || event.metaKey || event.altKey) return;
      // By what is typed, not by the keys: where ? lies differs from keyboard to keyboard.
      if (event.key === "?") showHelp();
      else if (event.key === "g") begun = event.timeStamp;
      else if (event.timeStamp - begun < 1500) {
        const to = event.key === "i" ? "/inbox" : PLACES.find(({ keys }) => keys === `g ${event.key}`)?.to;
        begun = Number.NEGATIVE_INFINITY;
        if (to) void navigate(to);
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [navigate, showHelp]);
}

async function signOut(): Promise<void> {
  await answer(api.POST("/api/auth/logout"));
  queries.clear();
  window.location.assign("/login");
}
