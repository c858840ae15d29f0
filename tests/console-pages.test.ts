/**
 * Administration in a real browser, at a real source with a real agent: settings, tags, sites,
 * users, tokens and trust, and what a viewer sees of them.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, setDefaultTimeout } from "bun:test";
import { browserPrograms, openBrowser, type Browser } from "../scripts/rig/browser.ts";
import type { AgentStatus } from "../shared/agent/status/status-server.ts";
import { approvalCodeText } from "../shared/model/approval-code-text.ts";
import { formatPin, readToken } from "../shared/api/token.ts";
import { addUsers, password, signInAt, type Look } from "./console-sign-in.ts";
import { openHarness, until, type Harness, type Peer } from "./harness.ts";
import { programTest } from "./network-test.ts";

// Hashes of passwords and the start of a browser take long on a busy machine.
setDefaultTimeout(90_000);
const test = await programTest(browserPrograms);
const limitMs = 90_000;

let harness: Harness;
let browser: Browser;
let peer: Peer;

beforeAll(async () => {
  harness = await openHarness({ sourceArgs: ["--pending-imaging"] });
  browser = openBrowser();
  await addUsers(harness, { anna: "administrator", vera: "viewer" });
  peer = await harness.startPeer();
  await harness.source.admin("device", "rename", peer.id, "desk-1");
});
afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await harness?.[Symbol.asyncDispose]();
});

/** Opens a new browser window and signs in. */
const signIn = (user: string, look?: Look) => signInAt(browser, harness.source.url, user, look);

/**
 * Presses a button, fills the fields of its dialog, and sends them.
 * @returns the text of the dialog before it was sent
 */
const fill = (where: string, button: string, values: Record<string, string>, submit = button) =>
  browser.run(
    async ({ page, show }, given) => {
      await show(given.where);
      await page.locator("main").getByRole("button", { name: given.button }).first().click();
      const dialog = page.getByRole("dialog");
      await dialog.waitFor();
      for (const [name, value] of Object.entries(given.values)) {
        const field = dialog.locator(`[name="${name}"]`);
        if ((await field.evaluate((element) => element.tagName)) === "SELECT")
          await field.selectOption(value);
        else await field.fill(value);
      }
      while ((await dialog.locator("[aria-busy=true]").count()) > 0) await page.waitForTimeout(50);
      const text = await dialog.innerText();
      await dialog.getByRole("button", { name: given.submit, exact: true }).click();
      return text;
    },
    { where, button, values, submit },
  );

const dialogCloses = () =>
  browser.run(({ page }) => page.getByRole("dialog").waitFor({ state: "hidden" }), null);

/** Presses a button of a page, and confirms. @returns the question */
const confirm = (where: string, button: string) => fill(where, button, {});

/** Sends a request with a token. @returns the status */
const statusWith = async (token: string, path: string): Promise<number> => {
  const headers = { authorization: `Bearer ${token.trim()}` };
  return (await fetch(`${harness.source.url}${path}`, { headers, tls: { rejectUnauthorized: false } }))
    .status;
};

/** Waits until the device states that it follows a setting. */
const untilFollows = (setting: Partial<NonNullable<AgentStatus["setting"]>>) =>
  until(
    async () => `the device follows ${JSON.stringify((await peer.status()).setting)}`,
    limitMs,
    async () => (Bun.deepMatch(setting, (await peer.status()).setting ?? {}) ? true : null),
  );

test(
  "shows the error of a value at its field, and brings a changed value to the device",
  async () => {
    await signIn("anna");
    const seen = await browser.run(async ({ page, show }) => {
      await show("settings/default");
      await page.getByRole("button", { name: "Change values" }).click();
      await page.getByRole("searchbox", { name: "Search values" }).fill("wanrate");
      const inherits = page.getByRole("switch", { name: "Inherited: wanRate" });
      const field = page.locator("[name=wanRate]");
      const isInherited = await inherits.isChecked();
      await field.fill("fast");
      const stays = await inherits.isChecked();
      await page.getByRole("searchbox", { name: "Search values" }).fill("cache");
      await page.getByRole("button", { name: "Review the changes" }).click();
      const fault = await page.getByRole("alert").innerText();
      const isMarked = await field.getAttribute("aria-invalid");
      await field.fill("50mbit");
      await page.getByRole("button", { name: "Review the changes" }).click();
      const dialog = page.getByRole("dialog");
      const review = await dialog.innerText();
      await dialog.getByRole("button", { name: "Save the changes" }).click();
      await dialog.waitFor({ state: "hidden" });
      await page.getByText("is stored").waitFor();
      await page.locator("section table").filter({ hasText: "anna" }).waitFor();
      return { fault, isMarked, review, inherited: [isInherited, stays] };
    }, null);
    expect(seen.fault).toContain("wanRate=fast");
    expect(seen.isMarked).toBe("true");
    expect(seen.inherited).toEqual([true, false]);
    expect(seen.review).toContain("wanRate: none → 50mbit");
    const { version, differences } = await harness.client.setting("default");
    expect(differences.wanRateBps).toBe(50_000_000);
    await untilFollows({ name: "default", version });
    expect(await confirm("settings/default", `Revert to version ${version - 1}`)).toContain(
      "as a new version",
    );
    await dialogCloses();
    expect((await harness.client.setting("default")).differences.wanRateBps).toBeUndefined();
    await untilFollows({ name: "default", version: version + 1 });
  },
  limitMs,
);

test(
  "tags the devices of a target, and assigns them a setting that was made in the browser",
  async () => {
    await signIn("anna");
    const preview = await fill("devices/name%3Ddesk-1", "Change tags", { add: "b7" });
    await dialogCloses();
    expect(preview).toContain("Devices that match name=desk-1: 1");
    expect(preview).toContain("desk-1: –");
    expect((await harness.client.device(peer.id)).tags).toEqual(["b7"]);
    await fill("settings", "Create a setting", { name: "not a name" });
    const fault = await browser.run(async ({ page }) => {
      const text = await page.getByRole("dialog").getByRole("alert").innerText();
      await page.keyboard.press("Escape");
      return text;
    }, null);
    expect(fault).toContain("letters, digits, dots");
    await dialogCloses();
    await fill("settings", "Create a setting", { name: "kiosk" });
    await dialogCloses();
    await fill("settings", "Assign a setting", { setting: "kiosk", target: "tag=b7" });
    await dialogCloses();
    await untilFollows({ name: "kiosk" });
    await fill("settings", "Assign a setting", { setting: "default", target: "name=desk-*" });
    await dialogCloses();
    const order = async (): Promise<string[]> =>
      (await harness.client.settingAssignments()).assignments.map(({ target }) => target);
    expect(await order()).toEqual(["tag=b7", "name=desk-*"]);
    expect(await confirm("settings", "Move name=desk-* up")).toContain("before the assignment above it");
    await dialogCloses();
    expect(await order()).toEqual(["name=desk-*", "tag=b7"]);
    await untilFollows({ name: "default" });
    await confirm("settings", "Remove the assignment of name=desk-*");
    await dialogCloses();
    await untilFollows({ name: "kiosk" });
    expect(await confirm("settings", "Remove the assignment of tag=b7")).toContain("a later assignment");
    await dialogCloses();
    await untilFollows({ name: "default" });
    expect(await confirm("settings/kiosk", "Remove the setting")).toContain("Remove the setting kiosk?");
    await dialogCloses();
    expect((await harness.client.settings()).map(({ name }) => name)).toEqual(["default"]);
    await fill(`devices/${peer.id}`, "Rename the device", { name: "desk-one" });
    await dialogCloses();
    expect((await harness.client.device(peer.id)).name).toBe("desk-one");
  },
  limitMs,
);

test(
  "makes a site, and gives a subnet a name and the site",
  async () => {
    await signIn("anna");
    await fill("subnets", "Create a site", { name: "berlin" });
    await dialogCloses();
    await fill("subnets", "Name and site", { name: "office", site: "berlin" }, "Name and site");
    await dialogCloses();
    const named = await harness.client.subnets();
    expect(named).toMatchObject([{ name: "office", site: "berlin" }]);
    await fill("subnets", "Rename", { name: "potsdam" });
    await dialogCloses();
    expect(await harness.client.subnets()).toMatchObject([{ name: "office", site: "potsdam" }]);
    expect(await confirm("subnets", "Remove")).toContain("Remove the site potsdam?");
    await dialogCloses();
    expect(await harness.client.subnets()).toMatchObject([{ name: "office", site: null }]);
  },
  limitMs,
);

test(
  "shows the text of a new token once; it works until it is revoked",
  async () => {
    await signIn("anna");
    const values = { name: "report", role: "viewer", span: "day" };
    await fill("people", "Create a token for a program", values, "Create the token");
    const text = await browser.run(async ({ page }) => {
      const secret = await page.locator("code.secret").innerText();
      await page.getByRole("button", { name: "I have copied it" }).click();
      await page.locator("code.secret").waitFor({ state: "detached" });
      return secret;
    }, null);
    expect(await statusWith(text, "/v1/devices")).toBe(200);
    expect(await statusWith(text, "/v1/users")).toBe(403);
    const revoke = await browser.run(async ({ page, show }) => {
      await show("people");
      const row = page.locator("tr").filter({ hasText: "report" });
      await row.getByRole("button", { name: "Revoke" }).click();
      const dialog = page.getByRole("dialog");
      const question = await dialog.innerText();
      await dialog.getByRole("button", { name: "Revoke" }).click();
      await dialog.waitFor({ state: "hidden" });
      await row.getByText("revoked").waitFor();
      return question;
    }, null);
    expect(revoke).toContain("Revoke the token report?");
    expect(await statusWith(text, "/v1/devices")).toBe(401);
  },
  limitMs,
);

test(
  "adds a user who can sign in, and refuses a short password at its field",
  async () => {
    await signIn("anna");
    await fill("people", "Add a user", { name: "otto", role: "operator", password: "short" });
    const fault = await browser.run(async ({ page }, right) => {
      const dialog = page.getByRole("dialog");
      const text = await dialog.getByRole("alert").innerText();
      await dialog.locator("[name=password]").fill(right);
      await dialog.getByRole("button", { name: "Add a user" }).click();
      await dialog.waitFor({ state: "hidden" });
      return text;
    }, password);
    expect(fault).toContain("give at least 12");
    await signIn("otto");
    const person = await browser.run(({ page }) => page.locator(".person").innerText(), null);
    expect(person).toContain("otto (operator)");
    const next = "battery staple horse";
    await fill("people", "Change your password", { current: "not the right one", password: next });
    const own = await browser.run(async ({ page }, right) => {
      const dialog = page.getByRole("dialog");
      const wrong = await dialog.getByRole("alert").innerText();
      await dialog.locator("[name=current]").fill(right);
      await dialog.getByRole("button", { name: "Change your password" }).click();
      await dialog.waitFor({ state: "hidden" });
      return [wrong, await page.getByText("Done: ").innerText()];
    }, password);
    expect(own).toEqual([expect.stringContaining("current password is wrong"), "Done: Change your password"]);
  },
  limitMs,
);

const places = () => [
  "settings",
  "settings/default",
  "subnets",
  "devices",
  `devices/${peer.id}`,
  "people",
  "trust",
];

test(
  "shows a viewer no buttons but that of the own password",
  async () => {
    await signIn("vera");
    const buttons: string[] = [];
    for (const place of places())
      buttons.push(
        ...(await browser.run(async ({ page, show }, where) => {
          await show(where);
          return page.locator("main button:not([type=submit])").allInnerTexts();
        }, place)),
      );
    expect(buttons).toEqual(["Change your password"]);
  },
  limitMs,
);

const looks: readonly Look[] = [
  { colorScheme: "light" },
  { colorScheme: "dark", width: 375, language: "de-DE" },
];
for (const look of looks)
  test(
    `has no problem on any page or in a form, by axe and by the browser: ${Object.values(look).join(" ")}`,
    async () => {
      await signIn("anna", look);
      const problems = await browser.run(async ({ page, problems: found, violations, show }, all) => {
        const seen: string[] = [];
        const note = async (where: string): Promise<void> => {
          const overflow = await page.evaluate<number>(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth",
          );
          if (overflow > 0) seen.push(`${where}: ${overflow} pixels too wide`);
          for (const one of [...found.splice(0), ...(await violations())]) seen.push(`${where}: ${one}`);
        };
        for (const place of all) {
          await show(place);
          await note(place);
        }
        await show("people");
        await page.locator("main section:nth-of-type(2) button").first().click();
        await page.getByRole("dialog").waitFor();
        await note("form of a user");
        await page.keyboard.press("Escape");
        await show("settings/default");
        await page.locator("main > .buttons button").first().click();
        await page.locator(".values").waitFor();
        await note("values of a setting");
        return seen;
      }, places());
      expect(problems).toEqual([]);
    },
    limitMs,
  );

test(
  "says that a change is a draft when the source cannot sign, and lists what waits",
  async () => {
    const keys = join(harness.folder, "keys");
    await harness.source.admin("trust", "export", "--data", harness.source.data, "--out", keys);
    await signIn("anna");
    await fill("settings", "Create a setting", { name: "later" });
    await dialogCloses();
    const seen = await browser.run(async ({ page, show }) => {
      await show("settings");
      const settings = await page.locator("main").innerText();
      await show("trust");
      return { settings, trust: await page.locator("main").innerText() };
    }, null);
    expect(seen.settings).toContain("is a draft: devices ignore it until it is signed");
    expect(seen.trust).toContain("The keys are not on this source");
    expect(seen.trust).toContain("setting later");
    expect(seen.trust).toContain("flockcast-source trust sign --all --operator-key FILE");
    expect(await confirm("settings/later", "Remove the setting")).toContain("Remove the setting later?");
    await dialogCloses();
  },
  limitMs,
);

test(
  "shows a machine without a token with the code of its screen, and approves it",
  async () => {
    const enrollFile = await readFile(join(harness.source.data, "enroll.token"), "utf8");
    const pin = formatPin(readToken(enrollFile)!);
    const machine = await harness.startPeer({ name: "bare", enrollToken: pin, args: ["--imaging"] });
    const code = approvalCodeText((await harness.client.device(machine.id)).approvalCode!);
    const screen = (): Promise<string> => readFile(machine.program.logFile, "utf8");
    await until(screen, limitMs, async () =>
      (await screen()).includes(`device approve ${code}`) ? true : null,
    );
    await signIn("anna");
    const seen = await browser.run(async ({ page, show, violations }, id) => {
      const main = page.locator("main");
      await show("overview");
      await page.locator(".attention").getByText("on its screen").waitFor();
      const overview = await main.innerText();
      await show("devices");
      await main.getByText("on its screen").waitFor();
      const devices = await main.innerText();
      await show(`devices/${id}`);
      await main.getByText("images only").waitFor();
      return { overview, devices, device: await main.innerText(), violations: await violations() };
    }, machine.id);
    for (const text of [seen.overview, seen.devices, seen.device]) expect(text).toContain(code);
    expect(seen.violations).toEqual([]);
    expect(await confirm(`devices/${machine.id}`, "Approve the device")).toContain(
      `Approve the machine that shows ${code} on its screen?`,
    );
    await dialogCloses();
    const { state, isImaging, tags } = await harness.client.device(machine.id);
    expect({ state, isImaging, tags }).toEqual({ state: "active", isImaging: true, tags: ["imaging"] });
    await machine.kill();
  },
  limitMs,
);
