/**
 * Browser of tests and screenshots, driven by playwright-core, which needs Node.js. Reads steps as
 * JSON lines, each a function's text with parameters, and answers each with a line. Ends with its
 * input.
 *
 * Argument: path of Chromium.
 */
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const axePath = fileURLToPath(import.meta.resolve("axe-core/axe.min.js"));
const axeText = await readFile(axePath, "utf8");
const browser = await chromium.launch({
  executablePath: process.argv[2],
  // Root has no sandbox of Chromium, and containers have little shared memory.
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
});

/** Runs in the page: returns the time until it shows what its address names. */
async function firstRow(hash) {
  const heading = globalThis.document.querySelector("h1");
  const beganMs = performance.now();
  const isShown = () =>
    globalThis.document.querySelector("h1") !== heading &&
    globalThis.document.querySelector("main [aria-busy=true]") === null &&
    globalThis.document.querySelector("main :is(tbody tr, .lane, dl, form, p)") !== null;
  globalThis.location.hash = hash;
  while (!isShown()) {
    if (performance.now() - beganMs > 30_000) throw new Error(`No row of ${hash} after 30 s`);
    await new Promise((resolve) => globalThis.requestAnimationFrame(resolve));
  }
  return performance.now() - beganMs;
}

/** Runs in the page: scrolls a step with each frame. */
async function scrollToEnd() {
  let [lastMs, longestFrameMs] = [performance.now(), 0];
  for (let step = 0; step < 200; step++) {
    const before = globalThis.scrollY;
    globalThis.scrollBy(0, 300);
    const nowMs = await new Promise((resolve) => globalThis.requestAnimationFrame(resolve));
    longestFrameMs = Math.max(longestFrameMs, nowMs - lastMs);
    lastMs = nowMs;
    if (globalThis.scrollY === before && step > 5) break;
  }
  return { longestFrameMs, rows: globalThis.document.querySelectorAll("main :is(tbody tr, .lane)").length };
}

const tools = {
  page: null,
  /** Messages of the console, errors of scripts and reports of the content policy. */
  problems: [],
  /** Opens a page without cookies, in place of the last one. */
  async open(options = {}) {
    await tools.page?.context().close();
    const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: "en-GB", ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    page.on("console", (message) => tools.problems.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => tools.problems.push(`error: ${error.message}`));
    tools.page = page;
    tools.problems.length = 0;
    return page;
  },
  /** Shows a page of the console, such as "tasks/7", and waits until it has loaded. */
  async show(place) {
    const { page } = tools;
    await page.evaluate((hash) => {
      globalThis.location.hash = hash;
    }, `#/${place}`);
    await page.locator("h1").waitFor();
    // The content policy forbids a condition that the page itself evaluates.
    do await page.waitForTimeout(50);
    while ((await page.locator("[aria-busy=true]").count()) > 0);
  },
  /** Opens a page, waits until it is still, and scrolls to its end. */
  async timed(place) {
    const { page } = tools;
    const firstRowMs = await page.evaluate(firstRow, `#/${place}`);
    await page.waitForLoadState("networkidle");
    return { firstRowMs, ...(await page.evaluate(scrollToEnd)) };
  },
  /** Returns the violations that axe finds in the page, one sentence each. */
  async violations() {
    await tools.page.evaluate(axeText);
    const { violations } = await tools.page.evaluate(() => globalThis.axe.run());
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" | ")}`);
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { text, parameters } = JSON.parse(line);
  try {
    const { step } = await import(
      `data:text/javascript,${encodeURIComponent(`export const step = ${text};`)}`
    );
    console.log(JSON.stringify({ value: (await step(tools, parameters)) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ error: error instanceof Error ? error.message : String(error) }));
  }
}
await browser.close();
