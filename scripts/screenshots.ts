/**
 * `bun scripts/screenshots.ts [--out FOLDER]`: pictures of the console for the documents, from a
 * real source and real agents on this machine. Default: docs/console/. Needs Chromium and Node.js.
 */
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { startDemoDevices, untilEnrolled, type DemoDevice } from "./demo/demo-devices.ts";
import { browserPrograms, openBrowser, type Browser } from "./rig/browser.ts";
import { runWithCleanup, UsageError, type Cleanup } from "./rig/cleanup.ts";
import { installPrograms } from "./rig/debian.ts";
import { startSource, type Source } from "./rig/deployment.ts";
import { stopAll } from "./rig/process.ts";
import { programsFromSource } from "./rig/programs.ts";

const user = "anna";
const password = randomBytes(16).toString("hex");
/** Takes 20 s at the WAN rate, so that the picture of the transfer shows one. */
const packageBytes = 30_000_000;
const settings = [
  "wanRate=12mbit",
  "sessionStartDelay=1s",
  "reportInterval=250ms",
  "cacheKeepFree=0",
  "guardDisk=allow",
];
const places = ["Berlin", "Hamburg"] as const;

/** Returns the ids of the tasks: one that is over, one scheduled and one that now begins. */
async function makeTasks(source: Source, folder: string): Promise<number> {
  const publish = async (name: string, version: string, bytes: number): Promise<string> => {
    const file = join(folder, `${name}-${version}.bin`);
    await writeFile(file, randomBytes(bytes));
    return source.admin("publish", file, "--name", name, "--version", version);
  };
  const give = async (id: string, ...words: string[]): Promise<number> =>
    Number(await source.admin("task", "create", id, "--action", "pre-cache", ...words));
  const viewer = await publish("viewer", "3.0", 400_000);
  await give(viewer, "--target", "tag=pilot");
  await give(await publish("editor", "4.1", 900_000), "--start", "+2d");
  return give(await publish("editor", "4.2", packageBytes));
}

async function nameDevices(source: Source, devices: readonly DemoDevice[]): Promise<void> {
  const client = await source.client();
  const known = await client.devices();
  for (const place of places) await client.createSite(place);
  for (const [at, { id, subnet }] of devices.entries()) {
    const place = places[subnet.endsWith("1") ? 0 : 1];
    await source.admin("device", "rename", id, `${place.toLowerCase()}-pc${(at % 3) + 1}`);
    const subnetId = known.find((one) => one.id === id)?.subnetId;
    if (subnetId) await client.labelSubnet(subnetId, { name: `${place}-office`, site: place });
  }
  await source.admin("device", "tag", "all", "pilot");
  await source.admin("setting", "set", "--create", "night", "wanRate=100mbit");
}

type Look = { readonly dark?: boolean; readonly width?: number };
type Picture = readonly [name: string, place: string];

/** Signs in once, and takes pictures of pages. */
const take = (
  browser: Browser,
  at: { readonly folder: string; readonly url: string },
  { dark = false, width = 1280 }: Look,
  pictures: readonly Picture[],
) =>
  browser.run(
    async ({ open, show }, given) => {
      const page = await open({
        colorScheme: given.dark ? "dark" : "light",
        viewport: { width: given.width, height: 800 },
      });
      await page.goto(given.url);
      const nameField = page.locator("[name=user]");
      await nameField.waitFor();
      await page.screenshot({ path: `${given.folder}/sign-in.png` });
      await nameField.fill(given.user);
      await page.locator("[name=password]").fill(given.password);
      await page.locator("[type=submit]").click();
      await page.locator("nav.pages").waitFor();
      for (const [name, place] of given.pictures) {
        await show(place);
        await page.waitForTimeout(300);
        await page.screenshot({ path: `${given.folder}/${name}.png` });
      }
    },
    { ...at, dark, width, user, password, pictures },
  );

async function main(out: string, cleanup: Cleanup): Promise<number> {
  const missing = await installPrograms(browserPrograms);
  if (missing !== null) throw new UsageError(`${missing}: install Chromium and Node.js`);
  await mkdir(out, { recursive: true });
  const folder = await mkdtemp(join(tmpdir(), "flockcast-screenshots-"));
  cleanup.add(`remove ${folder}`, () => rm(folder, { recursive: true, force: true }));
  cleanup.add("stop the programs", () => stopAll());
  const source = await startSource({
    programs: programsFromSource,
    data: join(folder, "source"),
    listen: "127.0.0.1:0",
  });
  await source.admin("setting", "set", "default", ...settings);
  const passwordFile = join(folder, "password");
  await writeFile(passwordFile, password);
  await source.admin("user", "add", user, "--role", "administrator", "--password-file", passwordFile);
  await mkdir(join(folder, "devices"));
  const devices = await startDemoDevices(source, join(folder, "devices"), { subnets: 2, devices: 3 });
  await untilEnrolled(devices, await source.client());
  await nameDevices(source, devices);
  const browser = openBrowser();
  cleanup.add("close the browser", async () => browser[Symbol.asyncDispose]());
  const task = await makeTasks(source, folder);
  const client = await source.client();
  const { packageId } = await client.task(task);
  for (;;) {
    const { subnets } = await client.task(task);
    const isMidway = ({ bytesVerified, bytesTotal }: (typeof subnets)[number]): boolean =>
      bytesVerified > 0.15 * bytesTotal;
    if (subnets.length > 0 && subnets.every(isMidway)) break;
    await Bun.sleep(250);
  }
  const at = { folder: out, url: source.url };
  await take(browser, at, { dark: true }, [
    ["task-dark", `tasks/${task}`],
    ["devices", "devices"],
  ]);
  await take(browser, at, { width: 375 }, [["task-narrow", `tasks/${task}`]]);
  await take(browser, at, {}, [
    ["task", `tasks/${task}`],
    ["overview", "overview"],
    ["tasks", "tasks"],
    ["new-task", "tasks/new"],
    ["edit-task", `tasks/${task}/edit`],
    ["device", `devices/${devices[0]!.id}`],
    ["subnets", "subnets"],
    ["packages", "packages"],
    ["package", `packages/${packageId}`],
    ["publish", "packages/new"],
    ["settings", "settings"],
    ["setting", "settings/default"],
    ["people", "people"],
    ["trust", "trust"],
    ["audit", "audit"],
    ["about", "about"],
  ]);
  console.log(out);
  return 0;
}

if (import.meta.main) {
  const { out } = new Command("bun scripts/screenshots.ts")
    .description("Pictures of the console from a real run")
    .option("--out <folder>", "output folder", join(import.meta.dir, "..", "docs", "console"))
    .parse()
    .opts();
  await runWithCleanup((cleanup) => main(resolve(out), cleanup));
}
