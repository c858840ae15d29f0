/**
 * Signing in a real browser, at a real source with a real agent: keys of the browser end the
 * embedded mode, sign what the person asked for and nothing else, and come back from their file.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, setDefaultTimeout } from "bun:test";
import { browserPrograms, openBrowser, type Browser } from "../scripts/rig/browser.ts";
import { keyName } from "../shared/model/trust/index.ts";
import { newSigningKey } from "../shared/model/trust/testing-trust.ts";
import { openHarness, until, type Harness, type Peer } from "./harness.ts";
import { programTest } from "./network-test.ts";

// Hashes of passwords and the start of a browser take long on a busy machine.
setDefaultTimeout(120_000);
const test = await programTest(browserPrograms);
const limitMs = 120_000;

const password = "correct horse battery";
const recoveryPassword = "staple of another horse";
/** Key of another operator, whom the root lists. */
const stranger = newSigningKey();
let harness: Harness;
let browser: Browser;
let peer: Peer;
let recovery: string;
let packageFile: string;

beforeAll(async () => {
  harness = await openHarness({ settings: ["checkInInterval=1s"] });
  browser = openBrowser();
  recovery = join(harness.folder, "flockcast-recovery.json");
  peer = await harness.startPeer();
  packageFile = await harness.makeFile("tool.bin", 200_000);
  await harness.publish(packageFile, { name: "tool", version: "1" });
});
afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await harness?.[Symbol.asyncDispose]();
});

async function setUpLink(): Promise<string> {
  const lines = (await readFile(`${harness.source.data}.log`, "utf8")).split("\n").filter(Boolean);
  return lines.map((line) => (JSON.parse(line) as { link?: string }).link).find(Boolean) ?? "";
}

/** Creates a task in the wizard. @returns the heading and the text of the page that follows */
const createTask = (command: string) =>
  browser.run(
    async ({ page, show }, given) => {
      await show("tasks/new");
      await page.locator("#package").selectOption("tool");
      await page.locator("#action").selectOption("line");
      await page.locator("#command").fill(given.command);
      await page.locator("form.wizard [type=submit]").click();
      await page.getByRole("heading", { level: 1, name: "Summary of the new task" }).waitFor();
      await page.locator("main table").waitFor();
      await page.getByRole("button", { name: "Create the task" }).click();
      await page.getByRole("heading", { level: 1, name: /Task \d+/ }).waitFor();
      await page.waitForTimeout(300);
      return {
        heading: await page.locator("h1").innerText(),
        text: await page.locator("main").innerText(),
      };
    },
    { command },
  );

test(
  "moves the keys to the browser once the recovery file is read back",
  async () => {
    const seen = await browser.run(
      async ({ open, violations, problems }, given) => {
        const page = await open({ locale: "en-GB" });
        await page.goto(given.link);
        await page.locator("[name=user]").fill("anna");
        await page.locator("[name=password]").fill(given.password);
        await page.locator("[name=again]").fill(given.password);
        await page.locator("[type=submit]").click();
        await page.getByRole("radio", { name: "In this browser, with a recovery file" }).click();
        const main = page.locator("main");
        const first = page.locator("[name=new-recovery-password]");
        await first.waitFor();
        const consequences = await main.innerText();
        const found = await violations();
        const begin = page.getByRole("button", { name: "Move the keys to this browser" });
        await first.fill("short");
        await begin.click();
        const weak = await page.getByRole("alert").innerText();
        await first.fill(given.recoveryPassword);
        await page.locator("[name=again]").fill(given.recoveryPassword);
        await begin.click();
        const [download] = await Promise.all([
          page.waitForEvent("download"),
          page.getByRole("button", { name: "Save the recovery file" }).click(),
        ]);
        await download.saveAs(given.recovery);
        await page.setViewportSize({ width: 375, height: 800 });
        await page.emulateMedia({ colorScheme: "dark", reducedMotion: "reduce" });
        // Colours of a transition, and those under the pointer, would be measured too.
        await page.mouse.move(0, 0);
        await page.locator("h1").focus();
        await page.waitForTimeout(500);
        found.push(...(await violations()));
        const overflow = await page.evaluate<number>(
          "document.documentElement.scrollWidth - document.documentElement.clientWidth",
        );
        if (overflow > 0) found.push(`the page is ${overflow} pixels wider than the window`);
        await page.locator("[name=recovery]").setInputFiles(given.recovery);
        await page.locator("[name=recovery-password]").fill("not the password");
        const confirm = page.getByRole("button", { name: "Check the file and use the keys" });
        await confirm.click();
        const wrong = await page.getByRole("alert").innerText();
        await page.locator("[name=recovery-password]").fill(given.recoveryPassword);
        await confirm.click();
        await page.getByText("This browser signs from now on.").waitFor({ timeout: 60_000 });
        await page.getByRole("button", { name: "Go to the overview" }).click();
        await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
        // A hint about password managers, which should not keep the password next to the keys.
        const told = problems.splice(0).filter((one) => !one.startsWith("verbose"));
        return { consequences, weak, wrong, found, problems: told };
      },
      { link: await setUpLink(), password, recoveryPassword, recovery },
    );
    expect(seen.consequences).toContain("Whoever controls the running source can change this page");
    expect(seen.weak).toContain("at least 12 characters");
    expect(seen.wrong).toBe("The password does not open this recovery file.");
    expect(seen.found).toEqual([]);
    expect(seen.problems).toEqual([]);
    const { file, canSign, unsigned, freshness } = await harness.client.trust();
    expect([file.embedded, canSign, unsigned, freshness !== null]).toEqual([false, false, 0, true]);
    expect(await readFile(join(harness.source.data, "signing.keys"), "utf8")).toContain('"keys": null');
  },
  limitMs,
);

test(
  "signs a task in the browser, which the device then runs",
  async () => {
    const { heading } = await createTask("echo signed >> ../../../runs");
    const taskId = Number(/\d+/.exec(heading)?.[0]);
    await harness.waitUntilComplete(taskId, [peer]);
    expect(await readFile(join(peer.data, "runs"), "utf8")).toBe("signed\n");
  },
  limitMs,
);

/** Fills in the form of a file. @returns what the page then shows */
const publish = (version: string, isRefused: boolean) =>
  browser.run(
    async ({ page, show }, given) => {
      await show("packages/new");
      await page.locator("[name=file]").setInputFiles(given.file);
      await page.locator("[name=package-name]").fill("signed");
      await page.locator("[name=package-version]").fill(given.version);
      await page.locator("form.wizard [type=submit]").click();
      if (given.isRefused) return page.getByRole("alert").innerText();
      await page.getByRole("heading", { level: 1, name: `signed ${given.version}` }).waitFor();
      await page.locator(".page-head .badge.good").waitFor();
      return "";
    },
    { version, isRefused, file: packageFile },
  );

test(
  "publishes with the key of the browser, and signs no manifest of other files",
  async () => {
    await publish("1", false);
    expect((await harness.client.packages()).find(({ name }) => name === "signed")?.state).toBe("ready");
    expect((await harness.client.trust()).canSign).toBe(false);
    await browser.run(async ({ page }) => {
      await page.route(/packages\/manifest$/, async (route) => {
        const asked = route.request().postDataJSON() as object;
        await route.continue({ postData: JSON.stringify({ ...asked, chunkDigests: "A".repeat(43) + "=" }) });
      });
    }, null);
    expect(await publish("2", true)).toContain("The source states another chunkDigests than you asked for");
    await browser.run(({ page }) => page.unrouteAll(), null);
    expect((await harness.client.packages()).filter(({ name }) => name === "signed")).toHaveLength(1);
  },
  limitMs,
);

test(
  "does not sign an order that states another command than the person asked for",
  async () => {
    await browser.run(async ({ page }) => {
      await page.route(/trust\/needed\?/, async (route) => {
        const response = await route.fetch();
        const body = (await response.json()) as { needed: { content: { command: string } }[] };
        for (const { content } of body.needed) content.command = "touch ../../../evil";
        await route.fulfill({ response, json: body });
      });
    }, null);
    const { heading, text } = await createTask("echo asked >> ../../../runs");
    expect(heading).toContain("waits for a signature");
    expect(text).toContain("The source states another command than you asked for");
    expect(text).toMatch(/Signatures that are needed: 1, of the keys [0-9a-f]{16}/);
    expect((await harness.client.trust()).unsigned).toBe(1);
    const read = await browser.run(async ({ page, show, violations }) => {
      await page.unrouteAll();
      await show("trust");
      await page.getByRole("button", { name: "Read and sign" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByText("Command line").waitFor();
      const words = await dialog.innerText();
      const found = await violations();
      await dialog.getByRole("button", { name: "Sign this order" }).click();
      await dialog.getByText("Signed: devices get these orders.").waitFor();
      return { words, found };
    }, null);
    expect(read.words).toContain("echo asked >> ../../../runs");
    expect(read.found).toEqual([]);
    await until(
      async () => `the runs are ${await readFile(join(peer.data, "runs"), "utf8")}`,
      limitMs,
      async () => ((await readFile(join(peer.data, "runs"), "utf8")) === "signed\nasked\n" ? true : null),
    );
  },
  limitMs,
);

test(
  "brings the keys back by the recovery file: the browser signs a setting, and the root lists a key",
  async () => {
    const seen = await browser.run(
      async ({ open, show, violations }, given) => {
        const page = await open({ locale: "en-GB" });
        await page.goto(given.url);
        await page.locator("[name=user]").fill("anna");
        await page.locator("[name=password]").fill(given.password);
        await page.locator("[type=submit]").click();
        await page.locator("nav.pages").waitFor();
        await show("trust");
        await page.getByText("This browser holds no signing key.").waitFor();
        await page.getByRole("button", { name: "Use a recovery file" }).click();
        const dialog = page.getByRole("dialog");
        await dialog.locator("[name=recovery]").setInputFiles(given.recovery);
        await dialog.locator("[name=recovery-password]").fill(given.recoveryPassword);
        await dialog.getByRole("button", { name: "Open" }).click();
        await page.getByText("This browser holds the key").waitFor();
        const found = await violations();
        const panel = await page.locator("main").innerText();
        await show("settings/default");
        await page.getByRole("button", { name: "Change values" }).click();
        await page.getByRole("switch", { name: "Inherited: wanRate" }).click();
        await page.locator("[name=wanRate]").fill("50mbit");
        await page.getByRole("button", { name: "Review the changes" }).click();
        await page.getByRole("dialog").getByRole("button", { name: "Save the changes" }).click();
        await page.getByText("is stored").waitFor();
        const saved = await page.locator("main").innerText();
        await show("trust");
        await page.getByRole("button", { name: "List a key" }).click();
        await dialog.locator("[name=key]").fill(given.stranger);
        await dialog.getByRole("button", { name: "List a key" }).click();
        await dialog.locator("[name=recovery]").setInputFiles(given.recovery);
        await dialog.locator("[name=recovery-password]").fill(given.recoveryPassword);
        await dialog.getByRole("button", { name: "Open" }).click();
        const sign = dialog.getByRole("button", { name: "Sign this version" });
        await sign.waitFor();
        const approval = await dialog.innerText();
        found.push(...(await violations()));
        await sign.click();
        await dialog.getByText("counts from now on").waitFor();
        await page.keyboard.press("Escape");
        await dialog.waitFor({ state: "hidden" });
        await page.getByRole("button", { name: "Forget the key" }).click();
        await page.getByRole("dialog").getByRole("button", { name: "Forget the key" }).click();
        await page.getByText("This browser holds no signing key.").waitFor();
        return { panel, saved, found, approval };
      },
      { url: harness.source.url, password, recoveryPassword, recovery, stranger: stranger.key },
    );
    expect(seen.found).toEqual([]);
    expect(seen.panel).toContain("It signs tasks, settings and freshness.");
    expect(seen.saved).not.toContain("needs a signature");
    expect(seen.approval).toMatch(/Version \d+ of the trust file changes the following/);
    expect(seen.approval).toContain(`Added: operator key ${keyName(stranger.key)}, for all actions on all`);
    const { file, unsigned } = await harness.client.trust();
    expect([file.operators.map(({ key }) => key), unsigned]).toEqual([[expect.any(String), stranger.key], 0]);
    const { version } = await harness.client.setting("default");
    await until(
      async () => `the device follows ${JSON.stringify((await peer.status()).setting)}`,
      limitMs,
      async () => ((await peer.status()).setting?.version === version ? true : null),
    );
  },
  limitMs,
);
