import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { AxeBuilder } from "@axe-core/playwright";
import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startPlatform, type Platform } from "./platform.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const MINUTE = 60_000;
/** The canary's watch, builds and a busy machine: what the portal shows may take a while. */
const PATIENCE = 5 * MINUTE;
const QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]; // prettier-ignore

let platform: Platform;
let browser: Browser;
let page: Page;
/** What the browser's console complained of, with the page it stood on. */
const complaints: string[] = [];

beforeAll(async () => {
  const { stdout } = await promisify(execFile)("sh", [join(root, "scripts", "browser.sh")]);
  platform = await startPlatform();
  await platform.cairn("org", "load", join(root, "library", "example-organisation"));
  browser = await chromium.launch({ executablePath: stdout.trim(), args: QUIET });
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: "light" });
  page = await context.newPage();
  page.setDefaultTimeout(MINUTE);
  page.on("console", (message) => message.type() === "error" && complaints.push(`${page.url()}: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(`${page.url()}: ${error.message}`));
});

afterAll(async () => {
  await browser?.close();
  await platform?.stop();
});

test(
  "the portal takes a service from a form to an address in production that answers",
  async () => {
    const service = "shelf";
    await page.goto(await platform.link());
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Home" }).waitFor();

    // From an empty platform to production: two answers and four clicks, each on what the page before it has offered.
    const clicks = await countClicks();
    await page.getByRole("link", { name: "Create: HTTP API" }).click();
    await page.getByLabel("Service name").fill(service);
    await page.getByRole("combobox", { name: "Owner team" }).click();
    await page.getByRole("option", { name: /example-shop/ }).click();
    await page.getByRole("button", { name: "See the plan" }).click();

    await page.getByRole("heading", { name: new RegExp(`Create ${service}`) }).waitFor();
    const plan = page.url();
    await page.getByRole("button", { name: "Apply this plan" }).click();

    // The run's page goes on to what it made.
    await page.getByRole("button", { name: "Merge", exact: true }).waitFor({ timeout: PATIENCE });
    const change = page.url();
    expect(new URL(change).pathname).toBe(`/changes/${service}/1`);
    await page.getByRole("button", { name: "Merge", exact: true, disabled: false }).click({ timeout: PATIENCE });
    expect(await clicks()).toEqual(["Create: HTTP API", "See the plan", "Apply this plan", "Merge"]);

    await page.locator('[data-delivery="success"]').waitFor({ timeout: PATIENCE });
    const address = await page.getByRole("link", { name: "Open the service" }).getAttribute("href");
    const release = await openProduction(service);
    const response = await fetch(`${address}/items`);
    expect(response.status).toBe(200);
    expect(response.headers.get("x-cairn-digest")).toMatch(/^sha256:[0-9a-f]{64}$/);
    const tab = await browser.newPage();
    await tab.goto(`${address}/items`);
    expect(JSON.parse(await tab.locator("body").innerText())).toMatchObject({ items: [] });
    await tab.close();

    const incident = await pressWhatFollows(service, plan);
    const { decision, run, ci } = await whereThingsStand(service);
    const paths = ["/", "/approvals", "/incidents", incident, `/services/${service}/incidents`, `/services/${service}/settings`, "/services", `/services/${service}`, `/services/${service}/score`, `/services/${service}/dependencies`, `/services/${service}/docs`, `/services/${service}/logs`, "/create", "/create/http-api", plan, change, `/services/${service}/changes`, `/services/${service}/releases`, "/changes?state=merged", ci, run, decision, "/releases", `/releases?service=${service}&state=promoted`, release, "/dora", "/scorecards", "/inbox", "/webhooks", "/break-glass", "/policies", "/policies?show=running", "/policies?show=exceptions", "/audit", "/teams", "/create/http-api/nowhere"]; // prettier-ignore
    for (const path of paths) expect(await violations(path), path).toEqual([]);
    await page.setViewportSize({ width: 390, height: 800 });
    for (const path of paths) {
      expect(await overflow(path), `${path} on a narrow screen`).toBe(0);
      expect(await shift(), `${path} moves while it comes`).toBeLessThan(0.1);
    }
    expect(complaints).toEqual([]);
    await page.setViewportSize({ width: 1280, height: 800 });
    await keys();
    await deleteByName(service);

    if (process.env.CAIRN_PICTURE) await takePicture(service, process.env.CAIRN_PICTURE);
  },
  10 * MINUTE,
);

/** Counts what is pressed from now on, by name; answers that are chosen from a list are no clicks. */
async function countClicks(): Promise<() => Promise<string[]>> {
  await page.evaluate(`document.addEventListener("click", ({ target }) => {
    const pressed = target.closest("a, button");
    if (pressed && pressed.getAttribute("role") !== "option") (window.pressed ??= []).push(pressed.textContent.trim());
  }, true)`);
  return () => page.evaluate<string[]>("window.pressed");
}

/** What people press when the service runs: the plan's files, an incident from its report to its end, a freeze, a secret. Gives the incident's page. */
async function pressWhatFollows(service: string, plan: string): Promise<string> {
  await open(plan);
  await page.getByRole("button", { name: "package.json", exact: true }).click();
  await page.getByRole("region", { name: "Content of package.json" }).getByText(`"name": "${service}"`).waitFor();

  await open("/incidents");
  await page.getByRole("button", { name: "Report an incident" }).click();
  const report = page.getByRole("form", { name: "Report an incident" });
  await report.getByLabel("Service").fill(service);
  await report.getByLabel("What is wrong").fill("Nothing can be bought");
  await report.getByRole("button", { name: "Open the incident" }).click();
  await page.getByRole("heading", { name: "Nothing can be bought" }).waitFor();
  const incident = new URL(page.url()).pathname;
  await page
    .getByRole("list", { name: /Suspects/ })
    .getByText(`Release`)
    .first()
    .waitFor();
  await page.getByRole("button", { name: /Acknowledge/ }).click();
  await page.getByText("administrator, since").waitFor();
  await page.getByLabel("What ended it").fill("It was closed on Sunday");
  await page.getByRole("button", { name: "Resolve" }).click();
  await page.getByText("It is over: It was closed on Sunday").waitFor();

  await open("/releases");
  const freeze = page.getByRole("form", { name: "Declare a freeze" });
  await freeze.getByLabel("Services").fill(service);
  await freeze.getByLabel("Because").fill("the fair");
  await freeze.getByRole("button", { name: "Freeze", exact: true }).click();
  await page.getByRole("button", { name: /End the freeze/ }).click();
  await page.getByRole("dialog").getByRole("button", { name: "End it" }).click();
  await page.getByRole("button", { name: /End the freeze/ }).waitFor({ state: "detached" });

  await open(`/services/${service}/settings`);
  await page.getByLabel("Name").fill("mail-password");
  await page.getByRole("textbox", { name: "Value" }).fill("not shown again");
  await page.getByRole("button", { name: "Set it" }).click();
  await page
    .getByRole("button", { name: /Remove the secret mail-password/ })
    .first()
    .waitFor();
  return incident;
}

/** The pages of a decision about the service, of its delivery, and of the build that it came from. */
async function whereThingsStand(service: string): Promise<{ decision: string; run: string; ci: string }> {
  const ask = async (path: string) => (await page.request.get(new URL(path, platform.url).href)).json();
  const [{ decisions }, { runs }, ci] = await Promise.all([
    ask(`/api/decisions?service=${service}`),
    ask(`/api/runs?about=component:default/${service}&limit=100`),
    ask(`/api/ci-runs?repository=${service}`),
  ]);
  const delivery = runs.find((run: { workflow: string }) => run.workflow === "deliver commit");
  return { decision: `/decisions/${decisions[0].id}`, run: `/runs/${encodeURIComponent(delivery.id)}`, ci: `/ci-runs/${ci.runs[0].id}` };
}

/** Every page is a key away, and says which. */
async function keys(): Promise<void> {
  await open("/");
  for (const [key, heading] of [
    ["s", "Services"],
    ["n", "Incidents"],
    ["a", "Audit"],
  ] as const) {
    await page.keyboard.press("g");
    await page.keyboard.press(key);
    await page.getByRole("heading", { level: 1, name: heading }).waitFor();
  }
  await page.keyboard.press("c");
  await page.getByRole("heading", { level: 1, name: "Create a service" }).waitFor();
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("/");
  await page.getByRole("textbox", { name: "Search" }).waitFor();
  await page.keyboard.press("Escape");
}

/** The end: its plan first, then its name. */
async function deleteByName(service: string): Promise<void> {
  await open(`/services/${service}/settings`);
  await page.getByRole("button", { name: "Plan its deletion" }).click();
  const end = page.getByRole("button", { name: `Delete ${service}` });
  await end.waitFor();
  expect(await end.isDisabled()).toBe(true);
  await page.getByLabel(/Type its name/).fill(service);
  await end.click();
  await page.getByRole("heading", { level: 1, name: /Decommission|Delete/ }).waitFor();
  await page.locator('h1 ~ [data-status="success"], [data-status="success"]').first().waitFor({ timeout: PATIENCE });
  await open("/services");
  await page.getByText("No service yet").waitFor();
}

/** Goes to the service's page by the palette, as a person would, and gives the address of its production release. */
async function openProduction(service: string): Promise<string> {
  await page.keyboard.press("Control+k");
  await page.getByRole("textbox", { name: "Search" }).fill(service);
  await page.getByRole("dialog").getByRole("button", { name: service }).first().click();
  await page.locator('[data-environment="production"][data-health="healthy"]').getByText("100 % of traffic").waitFor();
  return (await page.locator('[data-environment="production"]').getByRole("link", { name: "why" }).getAttribute("href")) ?? "";
}

/** A page once it stands: its heading is there, and nothing is asked for any more. */
async function open(path: string): Promise<void> {
  await page.goto(new URL(path, platform.url).href);
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.locator('[aria-busy="true"]').first().waitFor({ state: "detached" });
}

/** What axe finds on a page: all of it in the light, and in the dark its contrast, which is all that the dark changes. */
async function violations(path: string): Promise<string[]> {
  await page.emulateMedia({ colorScheme: "light" });
  await open(path);
  const light = await new AxeBuilder({ page }).setLegacyMode().analyze();
  await page.emulateMedia({ colorScheme: "dark" });
  await page.locator('html[data-mantine-color-scheme="dark"]').waitFor({ state: "attached" });
  const dark = await new AxeBuilder({ page }).setLegacyMode().withRules(["color-contrast"]).analyze();
  return [...light.violations, ...dark.violations.map((found) => ({ ...found, id: `${found.id} in the dark` }))].map(
    ({ id, nodes }) => `${id}: ${nodes[0]?.html}`,
  );
}

/** How far what stood on the page has moved by itself while it was loaded (cumulative layout shift). */
const shift = (): Promise<number> =>
  page.evaluate<number>(`new Promise((told) => {
    let sum = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
    requestAnimationFrame(() => setTimeout(() => told(sum), 0));
  })`);

async function overflow(path: string): Promise<number> {
  await open(path);
  return page.evaluate<number>("document.documentElement.scrollWidth - window.innerWidth");
}

/** The README's picture: the service's page with everything promoted. */
async function takePicture(service: string, to: string): Promise<void> {
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.emulateMedia({ colorScheme: "light" });
  await open(`/services/${service}`);
  await page.locator('[data-environment="production"][data-health="healthy"]').waitFor();
  await mkdir(dirname(to), { recursive: true });
  await page.screenshot({ path: to });
}
