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

    await page.getByRole("link", { name: "Create", exact: true }).click();
    await page.getByRole("link", { name: /HTTP API/ }).click();
    await page.getByLabel("Service name").fill(service);
    await page.getByRole("combobox", { name: "Owner team" }).click();
    await page.getByRole("option", { name: /example-shop/ }).click();
    await page.getByRole("button", { name: "See the plan" }).click();

    await page.getByRole("heading", { name: new RegExp(`Create ${service}`) }).waitFor();
    const plan = page.url();
    await page.getByRole("button", { name: "package.json", exact: true }).click();
    await page.getByRole("region", { name: "Content of package.json" }).getByText(`"name": "${service}"`).waitFor();
    await page.getByRole("button", { name: "Apply this plan" }).click();

    // The run's page goes on to what it made.
    await page.getByRole("button", { name: "Merge", exact: true }).waitFor({ timeout: PATIENCE });
    const change = page.url();
    expect(new URL(change).pathname).toBe(`/changes/${service}/1`);
    await page.getByRole("button", { name: "Merge", exact: true, disabled: false }).click({ timeout: PATIENCE });

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

    const paths = ["/", "/services", `/services/${service}`, `/services/${service}/score`, `/services/${service}/dependencies`, `/services/${service}/docs`, `/services/${service}/logs`, "/create", "/create/http-api", plan, change, "/releases", release, "/dora", "/inbox", "/webhooks", "/break-glass", "/policies", "/audit", "/teams"]; // prettier-ignore
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      for (const path of paths) expect(await violations(path), `${path} in ${colorScheme}`).toEqual([]);
    }
    await page.setViewportSize({ width: 390, height: 800 });
    for (const path of paths) expect(await overflow(path), `${path} on a narrow screen`).toBe(0);
    expect(complaints).toEqual([]);

    if (process.env.CAIRN_PICTURE) await takePicture(service, process.env.CAIRN_PICTURE);
  },
  10 * MINUTE,
);

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

async function violations(path: string): Promise<string[]> {
  await open(path);
  const { violations: found } = await new AxeBuilder({ page }).setLegacyMode().analyze();
  return found.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
}

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
