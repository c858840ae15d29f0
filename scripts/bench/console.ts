/**
 * `bench console`: the pages of the console in Chromium, with the catalog of a large fleet. For
 * each page: processor time of the source, time to the first row, longest frame while scrolling.
 *
 * The source runs in this process, so that its processor time has no client in it.
 */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openFixture, type Fixture } from "../../shared/source/app-fixture.ts";
import { tableLines } from "../../shared/text-table.ts";
import { browserPrograms, openBrowser, type Browser, type TimedPage } from "../rig/browser.ts";
import { UsageError } from "../rig/cleanup.ts";
import { installPrograms } from "../rig/debian.ts";
import { fillCatalog, type FleetSize } from "./large-catalog.ts";
import { connectDevices, processorMs, p95Of } from "./source-cost.ts";

type ConsoleOptions = FleetSize & {
  /** Devices with an open event stream. */
  readonly connected: number;
  readonly repeat: number;
};
type Opened = TimedPage & { readonly sourceMs: number; readonly requests: number };

const pages: readonly (readonly [name: string, place: string])[] = [
  ["overview", "overview"],
  ["tasks", "tasks"],
  ["a task for all", "tasks/1"],
  ["a task for a room", "tasks/107"],
  ["new task", "tasks/new"],
  ["devices", "devices"],
  ["devices, four words", "devices/site%3Dsite-*%20and%20not%20tag%3Droom-7%20and%20memory%3E%3D4GB"],
  ["devices, none matches", "devices/memory%3C1MB"],
  ["a device", "devices/000000000000007f"],
  ["subnets", "subnets"],
  ["packages", "packages"],
  ["settings", "settings"],
  ["a setting", "settings/setting-7"],
  ["people", "people"],
  ["trust", "trust"],
  ["audit", "audit"],
];

const user = { name: "bench", password: "a password for the benchmark" };

/**
 * Serves the source of a fixture on loopback, a request at a time, and adds up their processor
 * times: neither the browser's driver nor work between requests counts.
 */
function serve(fixture: Fixture) {
  const counted = { requests: 0, sourceMs: 0 };
  let turn: Promise<unknown> = Promise.resolve();
  const answer = async (request: Request): Promise<Response> => {
    const beganMs = processorMs();
    const response = await fixture.app.fetch(request, from);
    counted.requests++;
    counted.sourceMs += processorMs() - beganMs;
    return response;
  };
  const from = { remoteAddress: "127.0.0.1", tlsSpki: null, allowIdle: () => {} };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      const answered = turn.then(() => answer(request));
      turn = answered.catch(() => {});
      return answered;
    },
  });
  return { server, counted };
}

async function signIn(browser: Browser, url: string): Promise<void> {
  await browser.run(
    async ({ open }, { url: address, name, password }) => {
      const page = await open();
      await page.goto(address);
      await page.locator("[name=user]").fill(name);
      await page.locator("[name=password]").fill(password);
      await page.locator("[type=submit]").click();
      await page.locator("nav.pages").waitFor();
    },
    { url, ...user },
  );
}

/** Shows the page from which the others are opened. */
const leave = (browser: Browser): Promise<void> =>
  browser.run(async ({ page, show }) => {
    await show("about");
    await page.waitForLoadState("networkidle");
  }, null);

/** Opens a page, and scrolls to its end. */
const look = (browser: Browser, place: string): Promise<TimedPage> =>
  browser.run(async ({ timed }, wanted) => timed(wanted), place);

/** Opens every page, and returns a table of their costs. */
export async function runConsole(options: ConsoleOptions): Promise<string> {
  const missing = await installPrograms(browserPrograms);
  if (missing !== null) throw new UsageError(missing);
  const nowMs = Date.now();
  const folder = await mkdtemp(join(tmpdir(), "flockcast-bench-console-"));
  await fillCatalog(join(folder, "catalog.db"), options, nowMs);
  const fixture = await openFixture({}, nowMs, folder);
  const { server, counted } = serve(fixture);
  try {
    connectDevices(fixture, options.connected);
    await fixture.catalog.deviceList.scan(null, 0);
    await fixture.call("POST", "/v1/users", {
      json: { ...user, role: "administrator" },
    });
    await using browser = openBrowser();
    await signIn(browser, server.url.href);
    const rows: string[][] = [];
    for (const [name, place] of pages) {
      const opened: Opened[] = [];
      for (let round = 0; round < options.repeat; round++) {
        await leave(browser);
        const before = { ...counted };
        const seen = await look(browser, place);
        const requests = counted.requests - before.requests;
        opened.push({ ...seen, requests, sourceMs: counted.sourceMs - before.sourceMs });
      }
      const p95 = (field: keyof Opened): number => p95Of(opened.map((one) => one[field]));
      rows.push([
        name,
        `${p95("sourceMs").toFixed(0)} ms`,
        String(p95("requests")),
        `${p95("firstRowMs").toFixed(0)} ms`,
        `${p95("longestFrameMs").toFixed(0)} ms`,
        String(opened.at(-1)!.rows),
      ]);
    }
    return tableLines(["page", "source", "requests", "first row", "longest frame", "rows"], rows).join("\n");
  } finally {
    await server.stop(true);
    await fixture.close();
  }
}
