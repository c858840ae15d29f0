/**
 * Console in a real browser, at a real source with two real agents: sign-in, every page, roles, and
 * a transfer that the page of the task shows.
 */
import { Database } from "bun:sqlite";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, setDefaultTimeout } from "bun:test";
import { browserPrograms, openBrowser, type Browser } from "../scripts/rig/browser.ts";
import { addUsers, password, signInAt, type Look } from "./console-sign-in.ts";
import { openHarness, partOf, type Harness, type Peer } from "./harness.ts";
import { programTest } from "./network-test.ts";

// Hashes of passwords and the start of a browser take long on a busy machine.
setDefaultTimeout(90_000);
const test = await programTest(browserPrograms);
const limitMs = 90_000;

let harness: Harness;
let browser: Browser;
let peers: Peer[] = [];
let packageId = "";
/** A task that is over. */
let endedTaskId = 0;
const providerSecret = "a secret of thirty characters!";
let provider: Bun.Subprocess<"pipe", "pipe", "ignore"> | null = null;

const hasBrowser = Object.keys(browserPrograms).every((program) => Bun.which(program) !== null);

beforeAll(async () => {
  if (!hasBrowser) return;
  harness = await openHarness({ settings: ["wanRate=10mbit"] });
  browser = openBrowser();
  await addUsers(harness, { anna: "administrator", vera: "viewer" });
  peers = await harness.startPeers(2);
  for (const [at, peer] of peers.entries())
    await harness.source.admin("device", "rename", peer.id, `desk-${at + 1}`);
  packageId = await harness.publish(await harness.makeFile("tool.bin", 12_000_000), {
    name: "tool",
    version: "1.2",
  });
  const small = await harness.publish(await harness.makeFile("notes.txt", 50_000), {
    name: "notes",
    version: "3",
  });
  endedTaskId = await harness.createTask(small);
  await harness.waitUntilComplete(endedTaskId, peers);
});
afterAll(async () => {
  // The provider ends with its input.
  await provider?.stdin.end();
  await browser?.[Symbol.asyncDispose]();
  await harness?.[Symbol.asyncDispose]();
});

/** Opens a new browser window and signs in. */
const signIn = (user: string, look?: Look) => signInAt(browser, harness.source.url, user, look);

/** Shows a page of the console, and returns the problems that the browser and axe report. */
const problemsOf = (where: string, usesAxe = true) =>
  browser.run<{ place: string; usesAxe: boolean }, string[]>(
    async (tools, given) => {
      const { page, problems, violations, show } = tools;
      const { place } = given;
      await show(place);
      const overflow = await page.evaluate<number>(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth",
      );
      const wide = overflow > 0 ? [`the page is ${overflow} pixels wider than the window`] : [];
      const found = given.usesAxe ? await violations() : [];
      return [...problems.splice(0), ...found, ...wide].map((one) => `${place}: ${one}`);
    },
    { place: where, usesAxe },
  );

/** Presses a button twice: without, then with a confirmation. @returns the question */
const confirm = (where: string, button: string) =>
  browser.run(
    async ({ page, show, violations }, given) => {
      await show(given.where);
      await page.locator("main").getByRole("button", { name: given.button }).first().click();
      const dialog = page.getByRole("dialog");
      const question = [await dialog.innerText(), ...(await violations())].join(" ");
      await page.keyboard.press("Escape");
      await dialog.waitFor({ state: "hidden" });
      await page.locator("main").getByRole("button", { name: given.button }).first().click();
      await dialog.getByRole("button", { name: given.button }).click();
      await dialog.waitFor({ state: "hidden" });
      return question;
    },
    { where, button },
  );

const createTask = async (...words: readonly string[]): Promise<number> =>
  Number(await harness.source.admin("task", "create", packageId, "--action", "pre-cache", ...words));

test(
  "refuses a wrong password with a next step, and needs no mouse to sign in and to change the page",
  async () => {
    const seen = await browser.run(
      async ({ open }, { url, password: right }) => {
        const page = await open();
        await page.goto(url);
        await page.locator("[name=user]").waitFor();
        const press = (...keys: string[]) => Promise.all(keys.map((key) => page.keyboard.press(key)));
        // Skip link, language, colours, then the form.
        await press("Tab", "Tab", "Tab", "Tab");
        await page.keyboard.type("anna");
        await press("Tab");
        await page.keyboard.type("wrong password!");
        await press("Enter");
        const refusal = await page.getByRole("alert").innerText();
        await page.keyboard.type(right);
        await press("Enter");
        await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
        const focused = () => page.evaluate<string>("document.activeElement.textContent");
        const first = await focused();
        await page.getByRole("link", { name: "Devices", exact: true }).first().focus();
        await press("Enter");
        await page.getByRole("heading", { name: "Devices", level: 1 }).waitFor();
        const second = await focused();
        await page.keyboard.press("Shift+Tab");
        await page.locator(".skip").focus();
        await press("Enter");
        return { refusal, first, second, skipped: await focused(), title: await page.title() };
      },
      { url: harness.source.url, password },
    );
    expect(seen.refusal).toContain("The user or the password is wrong");
    expect(seen.refusal).toContain("An administrator can give a new password");
    expect(seen).toMatchObject({ first: "Overview", second: "Devices", skipped: "Devices" });
    expect(seen.title).toBe("Devices · flockcast");
  },
  limitMs,
);

test(
  "shows a real transfer while it runs: way, rate and reason of the subnet, then every device complete",
  async () => {
    await signIn("anna");
    const taskId = await createTask();
    const seen = await browser.run(async ({ page, show }, id) => {
      await show(`tasks/${id}`);
      const lane = page.locator(".lane");
      await lane.filter({ hasText: /[1-9][\d.]*\s[kM]bit\/s/ }).waitFor({ timeout: 40_000 });
      const during = await lane.innerText();
      await page.locator(".page-head .badge.good").waitFor({ timeout: 60_000 });
      await page.locator("tbody .badge.good").nth(1).waitFor({ timeout: 20_000 });
      return {
        during,
        after: await lane.innerText(),
        devices: await page.getByRole("region", { name: "Devices" }).innerText(),
      };
    }, taskId);
    expect(seen.during).toContain("Representative");
    expect(seen.during).toMatch(/downloading|receiving|repairing|verifying/);
    const task = await harness.waitUntilComplete(taskId, peers);
    expect(seen.after).toContain("100%");
    expect(seen.after).toContain(task.subnets[0]!.cidr);
    for (const name of ["desk-1", "desk-2"]) expect(seen.devices).toContain(name);
    expect(partOf(task, peers[0]!).bytesVerified).toBe(12_000_000);
  },
  limitMs,
);

/** Pages of the navigation, in its order. */
const listPages = "overview tasks devices subnets packages settings people trust audit about".split(" ");
/** Every page, also the forms and one that is not there. */
const everyPlace = (): string[] => [
  ...listPages,
  "nothing",
  `tasks/${endedTaskId}`,
  `tasks/${endedTaskId}/edit`,
  `tasks/${endedTaskId}/copy`,
  "tasks/new",
  `devices/${peers[0]!.id}`,
  "packages/new",
  `packages/${packageId}`,
  "settings/default",
];

/** Opens the page that asks to sign in. @returns what the browser and axe report */
const signInProblems = (look: Look) =>
  browser.run(
    async ({ open, problems, violations }, given) => {
      const { colorScheme = "light", width = 1280, language: locale = "en-GB", url } = given;
      const page = await open({ colorScheme, locale, viewport: { width, height: 900 } });
      await page.goto(url);
      await page.locator("[name=user]").waitFor();
      await page.waitForLoadState("networkidle");
      const overflow = await page.evaluate<number>(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth",
      );
      return [...problems, ...(await violations()), ...(overflow > 0 ? [`${overflow} pixels too wide`] : [])];
    },
    { ...look, url: harness.source.url },
  );

const looks: readonly Look[] = [
  { colorScheme: "light" },
  { colorScheme: "dark", language: "de-DE" },
  { colorScheme: "light", width: 375, language: "de-DE" },
  { colorScheme: "dark", width: 375 },
  { colorScheme: "dark", width: 2_560 },
];
for (const look of looks)
  test(
    `has no problem on any page, by axe and by the browser: ${Object.values(look).join(" ")}`,
    async () => {
      const problems = await signInProblems(look);
      await signIn("anna", look);
      const named = await browser.run(
        ({ page }) =>
          page
            .locator("nav.pages a")
            .evaluateAll((all) => all.map((one) => one.getAttribute("href")!.slice(2))),
        null,
      );
      expect(named).toEqual(listPages);
      // Axe finds the same at every large width.
      const usesAxe = (look.width ?? 0) < 2_000;
      for (const place of everyPlace()) problems.push(...(await problemsOf(place, usesAxe)));
      expect(problems).toEqual([]);
      // The browser reports the refusal too.
      const refused = await problemsOf("tasks/999");
      expect(refused.filter((one) => !one.includes("404 (Not Found)"))).toEqual([]);
    },
    limitMs,
  );

test(
  "shows the course of an ended task after a reload: two charts, their values, and the zone of the viewer",
  async () => {
    await signIn("anna", { timezoneId: "Asia/Tokyo" });
    const taskId = await createTask();
    const task = await harness.waitUntilComplete(taskId, peers);
    const seen = await browser.run(async ({ page, problems, show, violations }, id) => {
      await show(`tasks/${id}`);
      await page.reload();
      await page.locator("canvas").nth(1).waitFor();
      const images = page.getByRole("img");
      const labels = [await images.nth(0).getAttribute("aria-label")];
      labels.push(await images.nth(1).getAttribute("aria-label"));
      const painted = await page.evaluate<number>(`(() => {
        const canvas = document.querySelector("canvas");
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size;
      })()`);
      await page.locator(".course summary").click();
      const rows = page.locator(".course tbody tr");
      const first = await rows.first().innerText();
      const found = [...problems.splice(0), ...(await violations())];
      return { labels, painted, rows: await rows.count(), first, found };
    }, taskId);
    expect(seen.found).toEqual([]);
    expect(seen.labels[0]).toMatch(/^Rates: .* crossed the WAN/);
    expect(seen.labels[1]).toBe("Complete devices: 2 devices are complete.");
    expect(seen.painted).toBeGreaterThan(10);
    expect(seen.rows).toBeGreaterThanOrEqual(2);
    const { points } = await harness.client.taskHistory(taskId);
    expect(points.at(-1)).toMatchObject({ complete: task.devices.complete });
    const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium", timeZone: "Asia/Tokyo" });
    expect(seen.first).toContain(clock.format(points.at(-1)!.atMs));
  },
  limitMs,
);

for (const look of [{}, { colorScheme: "dark", width: 375, language: "de-DE" }] satisfies Look[])
  test(
    `shows what a device did and holds, and its log once it is asked: ${Object.values(look).join(" ")}`,
    async () => {
      await signIn("anna", look);
      const isGerman = "language" in look;
      // Each look asks another device, so that no earlier log is shown.
      const peer = peers[isGerman ? 1 : 0];
      const seen = await browser.run(
        async ({ page, problems, show, violations }, given) => {
          await show(`devices/${given.id}`);
          const cache = page.getByRole("region", { name: given.cache });
          await cache.getByText("notes 3").waitFor();
          const history = page.getByRole("region", { name: given.history, exact: true });
          await history.waitFor();
          const events = await history.innerText();
          await page.getByRole("button", { name: given.button }).click();
          await page.locator(".device-log pre").waitFor({ timeout: 40_000 });
          const log = await page.locator(".device-log").innerText();
          const overflow = await page.evaluate<number>(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth",
          );
          const found = [...problems.splice(0), ...(await violations())];
          return { cache: await cache.innerText(), events, log, overflow, found };
        },
        isGerman
          ? { id: peer!.id, cache: "Pakete im Cache", history: "Verlauf", button: "Log anzeigen" }
          : { id: peer!.id, cache: "Packages in the cache", history: "History", button: "Show log" },
      );
      expect([seen.found, seen.overflow]).toEqual([[], 0]);
      expect(seen.cache).toMatch(/50\s?kB/);
      const ended = `${endedTaskId} (notes 3)`;
      expect(seen.events).toContain(isGerman ? `Auftrag ${ended}: vollständig` : `task ${ended}: complete`);
      expect(seen.events).toContain(isGerman ? "angemeldet" : "enrolled");
      expect(seen.log).toContain("agent runs");
      expect(seen.log).toContain(isGerman ? "Gesendet" : "Taken");
      const rows = await harness.client.audit({ limit: 50 });
      expect(rows.map(({ actor, object }) => `${actor} ${object}`)).toContain(
        `anna log of device ${peer!.id}`,
      );
    },
    limitMs,
  );

test(
  "speaks the language of the browser, and the one that the viewer chooses",
  async () => {
    await signIn("anna", { language: "de-DE" });
    const seen = await browser.run(async ({ page, show }, id) => {
      await show(`tasks/${id}`);
      await page.locator(".reasons").first().waitFor();
      const reasons = await page.locator(".reasons").first().innerText();
      const german = await page.locator("nav.pages").innerText();
      await page.locator(".person summary").click();
      await page.getByLabel("Sprache").selectOption("en");
      const english = await page.locator("nav.pages").innerText();
      await page.reload();
      await page.locator("nav.pages").waitFor();
      const kept = await page.locator("nav.pages").innerText();
      const lang = await page.evaluate("document.documentElement.lang");
      return { reasons, german, english, kept, lang };
    }, endedTaskId);
    expect(seen.reasons).toMatch(/vollständig: \d+\s% (über|von)/);
    expect(seen.german).toContain("Geräte");
    expect(seen.english).toContain("Devices");
    expect(seen).toMatchObject({ kept: seen.english, lang: "en" });
  },
  limitMs,
);

test(
  "shows times in the zone of the viewer",
  async () => {
    const taskId = await createTask("--start", "2030-01-31T22:30:00Z", "--target", "tag=nobody");
    await signIn("anna", { timezoneId: "Asia/Tokyo" });
    const seen = await browser.run(async ({ page, show }, id) => {
      await show(`tasks/${id}`);
      return page.locator("main time").first().innerText();
    }, taskId);
    expect(seen).toMatch(/1 Feb 2030.*0?7:30/);
  },
  limitMs,
);

/** Starts a provider with a person of the group "staff". @returns its issuer */
async function startProvider(sourceUrl: string): Promise<string> {
  const clients = [
    {
      client_id: "flockcast",
      client_secret: providerSecret,
      redirect_uris: [`${sourceUrl}/v1/sign-in/provider/callback`],
    },
  ];
  const accounts = { carl: { preferred_username: "carl", groups: ["staff"] } };
  const words = [join(import.meta.dir, "openid-provider.mjs"), JSON.stringify({ clients, accounts })];
  provider = Bun.spawn([process.execPath, ...words], { stdin: "pipe", stdout: "pipe", stderr: "ignore" });
  const { value } = await provider.stdout.getReader().read();
  return new TextDecoder().decode(value).trim();
}

test(
  "signs people in at a provider, once one is configured",
  async () => {
    const { url, data } = harness.source;
    const hasLink = () =>
      browser.run(async ({ open }, address) => {
        const page = await open();
        await page.goto(address);
        await page.locator("[type=submit]").waitFor();
        await page.waitForLoadState("networkidle");
        return (await page.getByRole("button", { name: "Sign in with" }).count()) > 0;
      }, url);
    expect(await hasLink()).toBe(false);
    const issuer = await startProvider(url);
    const token = (await readFile(join(data, "admin.token"), "utf8")).trim();
    const set = await fetch(`${url}/v1/single-sign-on`, {
      method: "PUT",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({
        issuer,
        clientId: "flockcast",
        clientSecret: providerSecret,
        publicUrl: url,
        requested: ["openid", "profile", "groups"],
        roles: [{ group: "staff", role: "viewer" }],
      }),
      tls: { rejectUnauthorized: false },
    });
    expect([set.status, set.ok ? "" : await set.text()]).toEqual([200, ""]);
    expect(await hasLink()).toBe(true);
    const person = await browser.run(async ({ page }) => {
      await page.getByRole("button", { name: "Sign in with" }).click();
      await page.locator("[name=login]").fill("carl");
      await page.locator("[name=password]").fill("any");
      await page.locator("[type=submit]").click();
      await page.getByRole("button", { name: "Continue" }).click();
      await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
      return page.locator(".person").innerText();
    }, null);
    expect(person).toContain("carl (viewer)");
  },
  limitMs,
);

test(
  "changes a task and removes a device after a confirmation only",
  async () => {
    const taskId = await createTask("--start", "+1d", "--target", "tag=nobody");
    const spare = await harness.startPeer({ name: "spare" });
    await signIn("anna");
    expect(await confirm(`tasks/${taskId}`, "Start now")).toMatch(
      /^Start now\s+Start this task now\?.*\s+Close\s+Start now$/,
    );
    expect(await harness.client.task(taskId)).toMatchObject({ state: "running" });
    expect(await confirm(`tasks/${taskId}`, "Cancel the task")).toContain("cannot be resumed");
    expect(await harness.client.task(taskId)).toMatchObject({ state: "cancelled" });
    expect(await confirm(`devices/${spare.id}`, "Remove the device")).toContain("credential is barred");
    expect((await harness.client.devices()).map(({ id }) => id)).not.toContain(spare.id);
    await spare.kill();
  },
  limitMs,
);

test(
  "shows the output of a failed command, and starts another attempt",
  async () => {
    const command = "echo the disk is wrong; exit 3";
    const target = `device:${peers[0]!.id}`;
    const taskId = await harness.createTask(packageId, { action: "run", command, target });
    await harness.waitForTask(taskId, ({ devices }) => devices.failed === 1);
    await signIn("anna");
    const seen = await browser.run(async ({ page, show, violations }, id) => {
      await show("overview");
      const attention = await page.locator(".attention").innerText();
      await show(`tasks/${id}`);
      await page.locator("main details summary").last().click();
      return {
        attention,
        text: await page.locator("main").innerText(),
        violations: await violations(),
      };
    }, taskId);
    expect(seen.attention).toContain(`1 failed in task ${taskId}: tool`);
    expect(seen.text).toContain("the disk is wrong");
    expect(seen.violations).toEqual([]);
    const question = await confirm(`tasks/${taskId}`, "Retry failed devices");
    expect(question).toContain("on the devices that failed (1)?");
    await harness.waitForTask(taskId, ({ deviceList }) => deviceList[0]?.attempt === 2);
    await harness.source.admin("task", "cancel", String(taskId));
  },
  limitMs,
);

test(
  "shows a viewer no buttons, and the source refuses the requests behind them",
  async () => {
    const taskId = await createTask("--start", "+1d", "--target", "tag=nobody");
    await signIn("vera");
    const seen = await browser.run(
      async ({ page, show }, { task, device }) => {
        const buttons: string[] = [];
        for (const place of [`tasks/${task}`, `devices/${device}`]) {
          await show(place);
          await page.locator("main dl.facts").first().waitFor();
          buttons.push(...(await page.locator("main button").allInnerTexts()));
        }
        const pages = await page.locator("nav.pages").innerText();
        const statuses = await page.evaluate(
          async (requests) => {
            const all = requests.map(([method, path]) => fetch(path!, { method: method! }));
            return (await Promise.all(all)).map(({ status }) => status);
          },
          [
            ["POST", `/v1/tasks/${task}/cancel`],
            ["DELETE", `/v1/devices/${device}`],
            ["GET", "/v1/audit"],
          ],
        );
        return { buttons, pages, statuses };
      },
      { task: taskId, device: peers[0]!.id },
    );
    expect(seen.buttons).toEqual([]);
    expect(seen.pages).not.toContain("Audit");
    expect(seen.statuses).toEqual([403, 403, 403]);
  },
  limitMs,
);

test(
  "asks to sign in again when the session ends, and after signing out",
  async () => {
    await signIn("anna");
    const goodbye = await browser.run(async ({ page }) => {
      await page.locator(".person summary").click();
      await page.getByRole("button", { name: "Sign out" }).click();
      return page.getByRole("status").innerText();
    }, null);
    expect(goodbye).toBe("You are signed out.");
    await signIn("vera");
    await harness.source.admin("user", "edit", "vera", "--disable");
    const ended = await browser.run(async ({ page }) => {
      await page.locator("nav.pages").getByRole("link", { name: "Tasks" }).click();
      return page.getByRole("status").innerText();
    }, null);
    expect(ended).toContain("Your session ended");
  },
  limitMs,
);

const endedAt = (place: string): string => `${place}: Your session ended. Sign in again to continue.`;

test(
  "asks to sign in again on every page once the session has ended elsewhere",
  async () => {
    await signIn("anna");
    const shown = await browser.run(
      async ({ page }, { places, password: right }) => {
        const texts: string[] = [];
        for (const place of places) {
          await page.evaluate(async (hash) => {
            await fetch("/v1/session", { method: "DELETE" });
            Object.assign(Reflect.get(globalThis, "location") as object, { hash });
          }, `#/${place}`);
          texts.push(`${place}: ${await page.locator("main.sign-in").getByRole("status").innerText()}`);
          await page.locator("[name=user]").fill("anna");
          await page.locator("[name=password]").fill(right);
          await page.locator("[type=submit]").click();
          await page.locator("nav.pages").waitFor();
          // The page that was asked for is shown after the sign-in.
          if (!page.url().endsWith(`#/${place}`)) texts.push(`${place}: left for ${page.url()}`);
          await page.evaluate("location.hash = '#/nothing'");
          await page.getByText("There is no such page").waitFor();
        }
        return texts;
      },
      { places: everyPlace().filter((place) => place !== "nothing"), password },
    );
    expect(shown).toEqual(
      everyPlace()
        .filter((place) => place !== "nothing")
        .map(endedAt),
    );
  },
  limitMs,
);

test(
  "names a next step in the language of the viewer for what the source refuses",
  async () => {
    await signIn("anna", { language: "de-DE" });
    const german = await browser.run(async ({ page, show }) => {
      await show("tasks/999");
      const refused = await page.getByRole("alert").innerText();
      await show("settings");
      await page.getByRole("button", { name: "Einstellung anlegen" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.locator("[name=name]").fill("not a name");
      await dialog.getByRole("button", { name: "Einstellung anlegen" }).click();
      return { refused, field: await dialog.getByRole("alert").innerText() };
    }, null);
    expect(german.refused).toContain("No task 999");
    expect(german.refused).toContain("Gehen Sie zur Liste zurück");
    expect(german.field).toContain("Berichtigen Sie, was die Meldung nennt");
    await signIn("anna");
    const english = await browser.run(async ({ page, show }) => {
      await show("tasks/999");
      return page.getByRole("alert").innerText();
    }, null);
    expect(english).toContain("No task 999");
    expect(english.split("\n").filter(Boolean).length).toBeGreaterThan(1);
  },
  limitMs,
);

/** Adds devices to the catalog of a source. */
function addDevices(data: string, count: number): void {
  using catalog = new Database(join(data, "catalog.db"));
  catalog.run(
    `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1)
     INSERT INTO devices (id, credential_sha256, hostname, os, arch, agent_version, enrolled_at_ms, last_seen_at_ms)
     SELECT printf('%016x', n), printf('%064x', n), printf('pc-%05d', n), 'linux', 'x64', '0.1.0', ?2, ?2
     FROM numbers`,
    [count, Date.now()],
  );
}

test(
  "signs in without TLS on loopback, and shows 10,000 devices in parts",
  async () => {
    await using plain = await openHarness({ sourceArgs: ["--no-tls"] });
    const file = join(harness.folder, "password");
    await plain.source.admin("user", "add", "otto", "--role", "operator", "--password-file", file);
    const seen = await browser.run(
      async ({ open, problems }, { url, password: right }) => {
        const page = await open();
        await page.goto(url);
        await page.locator("[name=user]").fill("otto");
        await page.locator("[name=password]").fill(right);
        await page.locator("[type=submit]").click();
        await page.locator("nav.pages").waitFor();
        await page.waitForLoadState("networkidle");
        return { text: await page.locator("main").innerText(), problems };
      },
      { url: plain.source.url, password },
    );
    expect(seen.text).toContain("No device has enrolled yet");
    expect(seen.text).toContain(`flockcast-peer run --source ${plain.source.url} --enroll-file`);
    expect(seen.problems).toEqual([]);
    // A running source locks its catalog.
    await plain.source.program.stop();
    const problem = await browser.run(async ({ page, show }) => {
      await show("packages");
      return page.getByRole("alert").innerText();
    }, null);
    expect(problem).toContain("The source does not answer");
    expect(problem).toContain("Check the network");
    addDevices(plain.source.data, 10_000);
    await plain.source.restart();
    const parts = await browser.run(async ({ page, show }) => {
      await show("devices");
      const rows = page.locator("tbody tr");
      const paging = page.locator(".paging");
      await paging.waitFor();
      const counted = [await rows.count()];
      const texts = [await paging.locator("span").innerText()];
      await paging.getByRole("button", { name: "Next" }).click();
      texts.push(await paging.locator("span").innerText());
      await page.locator("[name=filter]").fill("name=pc-00042");
      await page.keyboard.press("Enter");
      await page.getByText("1 device", { exact: true }).waitFor();
      counted.push(await rows.count());
      return { counted, texts };
    }, null);
    expect(parts.counted).toEqual([100, 1]);
    expect(parts.texts).toEqual(["1 to 100 of 10,000", "101 to 200 of 10,000"]);
  },
  limitMs,
);
