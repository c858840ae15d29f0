/**
 * Set-up in a real browser, at a new source: the link of its log, the first administrator, the
 * place of the keys, links to sign in, and the notices about the connection.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, setDefaultTimeout } from "bun:test";
import { browserPrograms, openBrowser, type Browser } from "../scripts/rig/browser.ts";
import { openHarness, type Harness } from "./harness.ts";
import { programTest } from "./network-test.ts";

// Hashes of passwords and the start of a browser take long on a busy machine.
setDefaultTimeout(90_000);
const test = await programTest(browserPrograms);
const limitMs = 90_000;

const password = "correct horse battery";
let harness: Harness;
let browser: Browser;
let link = "";

/** Returns a link for the set-up in the log of a source. */
async function linkIn({ source }: Harness, which: "link" | "onThisMachine" = "link"): Promise<string> {
  const lines = (await readFile(`${source.data}.log`, "utf8")).split("\n").filter(Boolean);
  const found = lines.map((line) => (JSON.parse(line) as Record<string, string>)[which]).find(Boolean);
  return found ?? "";
}

beforeAll(async () => {
  harness = await openHarness();
  browser = openBrowser();
  link = await linkIn(harness);
});
afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await harness?.[Symbol.asyncDispose]();
});

type Look = { url: string; colorScheme: "light" | "dark"; width: number; locale: string };

/** Opens an address in a new window, and returns its text and what the browser and axe report. */
const lookAt = (look: Look) =>
  browser.run(async ({ open, problems, violations }, { url, colorScheme, width, locale }) => {
    const page = await open({ colorScheme, locale, viewport: { width, height: 900 } });
    await page.goto(url);
    await page.locator("h1").waitFor();
    await page.waitForLoadState("networkidle");
    for (const details of await page.locator("details:not([open]) > summary").all()) await details.click();
    const overflow = await page.evaluate<number>(
      "document.documentElement.scrollWidth - document.documentElement.clientWidth",
    );
    const wide = overflow > 0 ? [`the page is ${overflow} pixels wider than the window`] : [];
    return {
      text: await page.locator("main").innerText(),
      problems: [...problems.splice(0), ...(await violations()), ...wide],
    };
  }, look);

const looks = [
  { colorScheme: "light", width: 1280, locale: "en-GB" },
  { colorScheme: "dark", width: 375, locale: "de-DE" },
] as const;

test(
  "adds the first administrator by the link of the log without a mouse, and moves the keys away",
  async () => {
    expect(link).toStartWith(`${harness.source.url}/#/set-up/`);
    const pages = [];
    for (const look of looks) pages.push(await lookAt({ ...look, url: link }));
    expect(pages.flatMap(({ problems }) => problems)).toEqual([]);
    expect(pages.map(({ text }) => text.split("\n")[0])).toEqual([
      "Set up this source",
      "Diese Quelle einrichten",
    ]);
    expect(pages[0]!.text).toContain("at least 12 characters");
    expect(pages[0]!.text).toContain("--tls-cert source.crt --tls-key source.key");
    const onThisMachine = new URL(await linkIn(harness, "onThisMachine")).origin;
    expect(onThisMachine).toStartWith("http://127.0.0.1:");
    expect(pages[0]!.text).toContain(onThisMachine);
    const seen = await browser.run(
      async ({ open, violations }, given) => {
        const page = await open({ locale: "en-GB" });
        await page.goto(given.link);
        await page.locator("[name=user]").waitFor();
        await page.locator("[name=user]").focus();
        const type = (text: string) => page.keyboard.type(text);
        const press = (key: string) => page.keyboard.press(key);
        await type("anna");
        await press("Tab");
        await type("short");
        await press("Tab");
        await type("other");
        await press("Enter");
        const refusal = await page.evaluate<string>("document.activeElement.validationMessage");
        await press("Control+A");
        await type(given.password);
        await press("Enter");
        const differs = await page.evaluate<string>("document.activeElement.validationMessage");
        await press("Control+A");
        await type(given.password);
        await press("Enter");
        await page.getByRole("heading", { name: "Signing keys", level: 1 }).waitFor();
        const address = await page.evaluate<string>("location.hash");
        const here = page.getByRole("radio", { name: "On this source" });
        await here.waitFor();
        const atSource = await page.locator("main").innerText();
        const found = await violations();
        await here.focus();
        await press("ArrowDown");
        await page.getByText("Nobody can reset it").waitFor();
        await press("ArrowDown");
        await page.getByText("trust export").waitFor();
        const inFiles = await page.locator("main").innerText();
        found.push(...(await violations()));
        await page.setViewportSize({ width: 375, height: 800 });
        // A colour in a transition would be measured too.
        await page.emulateMedia({ colorScheme: "dark", reducedMotion: "reduce" });
        await page.locator(".person summary").click();
        await page.getByLabel("Language").selectOption("de");
        await page.getByText("In Schlüsseldateien der Kommandozeile").waitFor();
        found.push(...(await violations()));
        const overflow = await page.evaluate<number>(
          "document.documentElement.scrollWidth - document.documentElement.clientWidth",
        );
        if (overflow > 0) found.push(`the page is ${overflow} pixels wider than the window`);
        await page.getByLabel("Sprache").selectOption("en");
        return { differs, refusal, address, atSource, inFiles, found };
      },
      { link, password },
    );
    expect(seen.differs).toBe("The two passwords differ.");
    expect(seen.refusal).toContain("Choose another password: at least 12 characters");
    expect(seen.address).toBe("#/set-up");
    expect(seen.found).toEqual([]);
    expect(seen.atSource).toContain("Whoever breaks into the source can run any command on every device");
    expect(seen.inFiles).toContain(`flockcast-source trust export --data ${harness.source.data} --out`);
    expect(seen.inFiles).toContain(`export FLOCKCAST_SOURCE=${harness.source.url}`);
    expect(seen.inFiles).toContain("When the last operator key is lost");
    const keys = join(harness.folder, "keys");
    await harness.source.admin("trust", "export", "--data", harness.source.data, "--out", keys);
    const after = await browser.run(async ({ page }) => {
      await page.getByText("The signing keys are not on this source.").waitFor();
      await page.getByRole("button", { name: "Go to the overview" }).click();
      await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
      return page.locator(".person").innerText();
    }, null);
    expect(after).toContain("anna (administrator)");
  },
  limitMs,
);

test(
  "leads from a used link for the set-up to the sign-in",
  async () => {
    const used = await lookAt({ ...looks[0], url: link });
    expect(used.problems).toEqual([]);
    expect(used.text).toContain("the link for the set-up counts no more");
    await browser.run(async ({ page }) => {
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.locator("[name=password]").waitFor();
    }, null);
  },
  limitMs,
);

test(
  "signs in by a link of the command line once, and keeps its secret in no address",
  async () => {
    const address = await harness.source.admin("user", "link", "anna");
    const first = await browser.run(async ({ open, problems }, url) => {
      const page = await open({ locale: "en-GB" });
      await page.goto(url);
      await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
      return { hash: await page.evaluate<string>("location.hash"), problems: problems.splice(0) };
    }, address);
    expect(first).toEqual({ hash: "#/overview", problems: [] });
    const again = await lookAt({ ...looks[0], url: address });
    expect(again.text).toContain("This link is unknown, was used, or has ended");
  },
  limitMs,
);

test(
  "works without TLS on loopback beside it, as a secure context whose commands name the address with TLS",
  async () => {
    await using own = await openHarness();
    const local = await linkIn(own, "onThisMachine");
    const shown = await lookAt({ ...looks[0], url: local });
    expect(shown.problems).toEqual([]);
    expect(shown.text).not.toContain("certificate");
    const file = await own.makeFile("tool.bin", 300_000);
    const seen = await browser.run(
      async ({ page, problems, show, violations }, given) => {
        await page.locator("[name=user]").fill("anna");
        await page.locator("[name=password]").fill(given.password);
        await page.locator("[name=again]").fill(given.password);
        await page.locator("[type=submit]").click();
        await page.getByRole("heading", { name: "Signing keys", level: 1 }).waitFor();
        await show("overview");
        const overview = await page.locator("main").innerText();
        await page.reload();
        await page.locator("nav.pages").waitFor();
        await show("packages/new");
        await page.locator("[name=file]").setInputFiles(given.file);
        await page.locator("[name=package-version]").fill("1");
        await page.locator("form.wizard [type=submit]").click();
        await page.getByRole("heading", { level: 1, name: "tool 1" }).waitFor();
        await page.locator(".page-head .badge.good").waitFor();
        const cookies = await page.context().cookies();
        const isSecure = await page.evaluate<boolean>("globalThis.isSecureContext");
        return { overview, cookies, isSecure, found: [...problems, ...(await violations())] };
      },
      { password, file },
    );
    expect(seen.overview).toContain(`flockcast-peer run --source ${own.source.url} --enroll-file`);
    expect(seen).toMatchObject({ isSecure: true, found: [] });
    expect(seen.cookies).toMatchObject([{ name: "flockcast", httpOnly: true, sameSite: "Strict" }]);
    const ended = await browser.run(async ({ page }) => {
      await page.locator(".person summary").click();
      await page.getByRole("button", { name: "Sign out" }).click();
      return page.getByRole("status").innerText();
    }, null);
    expect(ended).toBe("You are signed out.");
  },
  limitMs,
);

test(
  "names the way to a certificate where others can read the connection, and shows no form there",
  async () => {
    await using plain = await openHarness({ sourceArgs: ["--no-tls"] });
    const { port } = new URL(plain.source.url);
    // A browser finds this name on the machine itself; the source takes it for any other name.
    const elsewhere = `http://source.localhost:${port}/${new URL(await linkIn(plain)).hash}`;
    for (const look of looks) expect((await lookAt({ ...look, url: elsewhere })).problems).toEqual([]);
    const seen = await lookAt({ ...looks[0], url: elsewhere });
    expect(seen.text).toContain("Others can read this connection");
    expect(seen.text).toContain("--tls-cert source.crt");
    expect(await browser.run(({ page }) => page.locator("form").count(), null)).toBe(0);
    const here = await lookAt({ ...looks[0], url: await linkIn(plain) });
    expect(here.text).not.toContain("Others can read this connection");
    expect(await browser.run(({ page }) => page.locator("form").count(), null)).toBe(1);
  },
  limitMs,
);
