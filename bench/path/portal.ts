import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { chromium, type Browser, type BrowserContext, type Locator, type Page } from "playwright-core";
import { connectAgent } from "../../agent/client.ts";
import { embeddedDatabase } from "../../platform/server/database.ts";
import { root } from "../../scripts/demo/tools.ts";
import { seedServices } from "../seed-services.ts";
import { percentile, type Measurement, type Row } from "./report.ts";

const SERVICES = 10_000;
const LOADS = 5;
const TIMES = 5;
const BEGINNING = "fleet-0";
const PATIENCE_MS = 60_000;
/** "Good" by Core Web Vitals (web.dev/articles/vitals; FCP: web.dev/articles/fcp). */
const GOOD = { firstPaintMs: 1800, largestPaintMs: 2500, interactionMs: 200, shift: 0.1 };

/**
 * The portal of a platform whose catalog holds ten thousand services, in a Chromium that has nothing cached: what web.dev calls its vitals, and how long a person waits
 * for the answer to what they type. The clock starts with the browser's event and stops at the frame in which the answer is there.
 */
export const portal: Measurement = async (ground) => {
  const chromiumPath = await promisify(execFile)("sh", [join(root, "scripts", "browser.sh")]).then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );
  if (chromiumPath === undefined)
    return [{ what: `the portal with ${SERVICES} services`, unit: "", samples: [], missing: "there is no Chromium" }];
  const { home, url, link, api } = await ground.platform();
  await seedServices({ databaseUrl: await embeddedDatabase((await (await connectAgent(home)).postgres()).url), count: SERVICES });
  const { items } = await api<{ items: { name: string }[] }>("/api/catalog/service-views?limit=1");
  const top = rowOf(items[0]?.name ?? "");
  const browser = await chromium.launch({
    executablePath: chromiumPath,
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
  });
  try {
    const session = await signedIn(browser, await link());
    const rows: Row[] = [];
    for (const { path, shows, name } of [
      { path: "/services", name: "services", shows: top },
      { path: "/", name: "home", shows: `document.querySelector("h1")` },
    ])
      rows.push(...(await loads(browser, session, `${url}${path}`, name, shows)));
    return [...rows, ...(await answers(browser, session, url, top))];
  } finally {
    await browser.close();
  }
};

type Session = Awaited<ReturnType<BrowserContext["storageState"]>>;

async function signedIn(browser: Browser, link: string): Promise<Session> {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(link);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Home" }).waitFor();
  const session = await context.storageState();
  await context.close();
  return session;
}

/** A page of its own, with nothing cached, that notes its vitals. */
async function newPage(browser: Browser, session: Session): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, storageState: session });
  const page = await context.newPage();
  await page.addInitScript(`
    window.vitals = { firstPaint: 0, largestPaint: 0, shift: 0, interactions: [] };
    const watch = (type, note, options) => new PerformanceObserver((list) => list.getEntries().forEach(note)).observe({ type, buffered: true, ...options });
    watch("paint", (entry) => { if (entry.name === "first-contentful-paint") vitals.firstPaint = entry.startTime; });
    watch("largest-contentful-paint", (entry) => { vitals.largestPaint = entry.startTime; });
    watch("layout-shift", (entry) => { if (!entry.hadRecentInput) vitals.shift += entry.value; });
    watch("event", (entry) => { if (entry.interactionId) vitals.interactions.push(entry.duration); }, { durationThreshold: 16 });
  `);
  return page;
}

const vitalsOf = (page: Page): Promise<{ firstPaint: number; largestPaint: number; shift: number; interactions: number[] }> =>
  page.evaluate("vitals");

async function loads(browser: Browser, session: Session, url: string, name: string, shows: string): Promise<Row[]> {
  const found: { firstPaint: number; largestPaint: number; shift: number; shown: number }[] = [];
  for (let n = 0; n < LOADS; n++) {
    const page = await newPage(browser, session);
    await page.goto(url);
    const shown = await page.evaluate<number>(seen(shows));
    await page.waitForLoadState("networkidle");
    found.push({ ...(await vitalsOf(page)), shown });
    await page.context().close();
  }
  return [
    { what: `${name}: first contentful paint`, unit: "ms", samples: found.map(({ firstPaint }) => firstPaint), most: GOOD.firstPaintMs },
    {
      what: `${name}: largest contentful paint`,
      unit: "ms",
      samples: found.map(({ largestPaint }) => largestPaint),
      most: GOOD.largestPaintMs,
    },
    { what: `${name}: its content is there`, unit: "ms", samples: found.map(({ shown }) => shown) },
    { what: `${name}: layout shift`, unit: "", samples: found.map(({ shift }) => Number(shift.toFixed(4))), most: GOOD.shift },
  ];
}

/** What a person types, and waits for: each another service, so that none is found cached. `top` is the row above all others. */
async function answers(browser: Browser, session: Session, url: string, top: string): Promise<Row[]> {
  const page = await newPage(browser, session);
  await page.goto(`${url}/services`);
  await page.evaluate<number>(seen(top));
  const [searched, found, scrolled]: [number[], number[], number[]] = [[], [], []];
  for (let n = 0; n < TIMES; n++) {
    const box = page.getByLabel("Search services");
    await box.fill("");
    await page.evaluate<number>(seen(top));
    searched.push(await after(page, rowOf(`fleet-0${n + 3}771-billing`), box, `${n + 3}771`));
    await box.blur(); // the palette's keys are left to who types in a field
    await page.keyboard.press("ControlOrMeta+k");
    const entry = `document.querySelector("[role=dialog]")?.textContent.includes("fleet-0${n + 3}881-billing")`;
    found.push(await after(page, entry, page.getByPlaceholder("Search services, places and actions"), `${n + 3}881`));
    await page.keyboard.press("Escape");
  }
  const { interactions } = await vitalsOf(page);
  for (let n = 0; n < TIMES; n++) {
    await page.goto(`${url}/services`);
    await page.evaluate<number>(seen(top));
    scrolled.push(await page.evaluate<number>(`(() => { const at = performance.now(); scrollTo(0, document.body.scrollHeight); return ${seen(rowOf("fleet-10000-ledger"))}.then((then) => then - at); })()`)); // prettier-ignore
  }
  return [
    {
      what: "interaction to next paint (98th percentile)",
      unit: "ms",
      samples: [percentile(interactions.length > 0 ? interactions : [16], 98)],
      most: GOOD.interactionMs,
    },
    { what: "search: from what is typed to the row", unit: "ms", samples: searched },
    { what: "palette: from what is typed to the entry", unit: "ms", samples: found },
    { what: "jump to the last, until its row is there", unit: "ms", samples: scrolled },
  ];
}

const rowOf = (service: string): string => `document.querySelector('[role=row] a[href="/services/${service}"]')`;

/** Milliseconds of the page's clock at the first frame in which something is there. */
const seen = (shows: string): string => `new Promise((resolve, reject) => {
  const from = performance.now();
  const look = () => {
    if (${shows}) resolve(performance.now());
    else if (performance.now() - from > ${PATIENCE_MS}) reject(new Error(${JSON.stringify(`after ${PATIENCE_MS / 1000} s there is no `)} + ${JSON.stringify(shows)}));
    else requestAnimationFrame(look);
  };
  look();
})`;

/** Types a name's beginning key by key, then the whole at once: milliseconds from there to the first frame in which the answer is there. */
async function after(page: Page, shows: string, box: Locator, text: string): Promise<number> {
  await box.pressSequentially(BEGINNING, { delay: 40 });
  await page.evaluate(
    `window.answered = new Promise((resolve, reject) => addEventListener("input", () => { const at = performance.now(); ${seen(shows)}.then((then) => resolve(then - at), reject); }, { capture: true, once: true })); undefined`,
  );
  await box.fill(BEGINNING + text);
  return page.evaluate<number>("window.answered");
}
