import "@mantine/core/styles.css";
import "@mantine/spotlight/styles.css";
import "./portal.css";
import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { createBrowserRouter } from "react-router";
import { RouterProvider } from "react-router/dom";
import { answer } from "@cairn/api";
import { api, queries } from "./api.ts";
import { Broken } from "./pages/broken.tsx";
import { Brand } from "./parts/brand.tsx";
import { Shell } from "./shell.tsx";
import { theme, variables } from "./theme.ts";

// Asked before the page's own file is there: all else waits for it.
if (window.location.pathname !== "/login") void queries.prefetchQuery({ queryKey: ["me"], queryFn: () => answer(api.GET("/api/auth/me")) });

const page = (load: () => Promise<{ default: React.ComponentType }>) => async () => ({ Component: (await load()).default });

/** Each page is a file of its own, loaded when it is first opened. */
const router = createBrowserRouter([
  { path: "/login", hydrateFallbackElement: <Brand />, lazy: page(() => import("./pages/login.tsx")) },
  {
    element: <Shell />,
    hydrateFallbackElement: <Brand ofShell />,
    children: [
      {
        errorElement: <Broken />,
        children: [
          { path: "/", lazy: page(() => import("./pages/home.tsx")) },
          { path: "/services", lazy: page(() => import("./pages/services.tsx")) },
          { path: "/services/:name/:tab?", lazy: page(() => import("./pages/service.tsx")) },
          { path: "/create", lazy: page(() => import("./pages/create.tsx")) },
          { path: "/create/:path", lazy: page(() => import("./pages/create-form.tsx")) },
          { path: "/plans/:digest", lazy: page(() => import("./pages/plan.tsx")) },
          { path: "/runs/*", lazy: page(() => import("./pages/run.tsx")) },
          { path: "/changes", lazy: page(() => import("./pages/changes.tsx")) },
          { path: "/changes/:repository/:number", lazy: page(() => import("./pages/change.tsx")) },
          { path: "/ci-runs/:id", lazy: page(() => import("./pages/ci-run.tsx")) },
          { path: "/releases", lazy: page(() => import("./pages/releases.tsx")) },
          { path: "/releases/:id", lazy: page(() => import("./pages/release.tsx")) },
          { path: "/decisions/:id", lazy: page(() => import("./pages/decision.tsx")) },
          { path: "/incidents", lazy: page(() => import("./pages/incidents.tsx")) },
          { path: "/incidents/:id", lazy: page(() => import("./pages/incident.tsx")) },
          { path: "/approvals", lazy: page(() => import("./pages/approvals.tsx")) },
          { path: "/dora", lazy: page(() => import("./pages/dora.tsx")) },
          { path: "/scorecards", lazy: page(() => import("./pages/scorecards.tsx")) },
          { path: "/policies", lazy: page(() => import("./pages/policies.tsx")) },
          { path: "/inbox", lazy: page(() => import("./pages/inbox.tsx")) },
          { path: "/webhooks", lazy: page(() => import("./pages/webhooks.tsx")) },
          { path: "/break-glass", lazy: page(() => import("./pages/break-glasses.tsx")) },
          { path: "/break-glass/:id", lazy: page(() => import("./pages/break-glass.tsx")) },
          { path: "/audit", lazy: page(() => import("./pages/audit.tsx")) },
          { path: "/teams", lazy: page(() => import("./pages/teams.tsx")) },
          { path: "*", lazy: page(() => import("./pages/missing.tsx")) },
        ],
      },
    ],
  },
]);

/** After an upgrade of the platform a page that was open asks for files that are gone: it is loaded anew, once in a while at most. */
const RELOADED = "cairn.reloaded";
window.addEventListener("vite:preloadError", (event) => {
  if (Date.now() - Number(sessionStorage.getItem(RELOADED) ?? 0) < 30_000) return;
  event.preventDefault();
  sessionStorage.setItem(RELOADED, String(Date.now()));
  const to = router.state.navigation.location ?? router.state.location;
  window.location.replace(to.pathname + to.search + to.hash);
});

const root = document.querySelector("#root");
if (root)
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <MantineProvider theme={theme} cssVariablesResolver={variables} defaultColorScheme="auto">
          <RouterProvider router={router} />
        </MantineProvider>
      </QueryClientProvider>
    </StrictMode>,
  );
