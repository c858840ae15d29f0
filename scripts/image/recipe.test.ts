/** The recipes of docs/install/imaging.md, read by the real dnsmasq. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bootFiles } from "../../shared/source/boot/boot-files.ts";
import { runToEnd } from "../rig/process.ts";

const page = await readFile(join(import.meta.dir, "../../docs/install/imaging.md"), "utf8");
const recipes = [...page.matchAll(/^```conf\n([\s\S]*?)^```$/gm)].map(([, text]) => text!);
const hasDnsmasq = Bun.which("dnsmasq") !== null;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-recipe-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("the page has a recipe for a DHCP server and one for proxy mode, for BIOS and UEFI", () => {
  expect(recipes).toHaveLength(2);
  expect(recipes.map((text) => text.includes(",proxy"))).toEqual([false, true]);
  for (const text of recipes)
    for (const part of [`:8080/${bootFiles.script}`, "undionly.kpxe", "snponly.efi"])
      expect(text).toContain(part);
});

test.skipIf(!hasDnsmasq)("dnsmasq accepts both recipes", async () => {
  for (const text of recipes) {
    const file = join(folder, "flockcast.conf");
    await writeFile(file, text.replace("/srv/tftp", folder));
    const { status, stderr } = await runToEnd(["dnsmasq", "--test", `--conf-file=${file}`]);
    expect([status, stderr.trim()]).toEqual([0, "dnsmasq: syntax check OK."]);
  }
});
