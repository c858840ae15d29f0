/**
 * Guards with real processes: the battery of a device is a recorded folder, mounted over that of
 * sysfs in a mount namespace of its agent. Needs Linux and root, or is skipped.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "bun:test";
import { programsFromSource, type Programs } from "../scripts/rig/programs.ts";
import type { TaskDetail } from "../shared/api/schema/admin.ts";
import { reasonsText } from "../shared/model/reason.ts";
import { bytesFrom, openHarness, partOf, representativeOf, wanBytesFetched, type Peer } from "./harness.ts";
import { networkTest } from "./network-test.ts";

const guardTest = networkTest("unshare", "mount");

const suppliesFolder = "/sys/class/power_supply";
/** Mounts the folder `$0` over that of the kernel, for the program behind it alone. */
const mountAndRun = `mount --bind "$0" ${suppliesFolder} && exec "$@"`;

const withSupplies = (folder: string): Programs => ({
  commandOf: (role) =>
    ["unshare", "--mount", "sh", "-c", mountAndRun, folder].concat(programsFromSource.commandOf(role)),
});

/** Makes the folder of a laptop, and returns the function that plugs it in or unplugs it. */
async function openLaptop(folder: string): Promise<(isPlugged: boolean, percent: number) => Promise<void>> {
  const write = (path: string, text: string): Promise<void> => writeFile(join(folder, path), `${text}\n`);
  await mkdir(join(folder, "AC"), { recursive: true });
  await mkdir(join(folder, "BAT0"));
  const set = async (isPlugged: boolean, percent: number): Promise<void> => {
    await write("AC/online", isPlugged ? "1" : "0");
    await write("BAT0/capacity", String(percent));
    await write("BAT0/status", isPlugged ? "Charging" : "Discharging");
  };
  await write("AC/type", "Mains");
  await write("BAT0/type", "Battery");
  await write("BAT0/present", "1");
  await set(true, 90);
  return set;
}

const packageBytes = 8_000_000;
const reasonsOf = (task: TaskDetail, peer: Peer): string => reasonsText(partOf(task, peer).reasons);
const leads = (task: TaskDetail, peer: Peer): boolean => representativeOf(task, [peer]) !== null;
const notElected = "is not elected as representative: on battery (guardBattery)";

guardTest(
  "a representative whose battery runs low hands over, states why, and leads again once it charges",
  async () => {
    // Slow enough for two changes of the representative during the download.
    const settings = ["guardInterval=1s", "wanRate=1mbit", "useDeputy=false"];
    await using harness = await openHarness({ settings });
    const supplies = join(harness.folder, "supplies");
    const setLaptop = await openLaptop(supplies);
    const programs = withSupplies(supplies);
    const laptop = await harness.startPeer({ name: "laptop", role: "representative", programs });
    const others = await harness.startPeers(2);
    const file = await harness.makeFile("big.bin", packageBytes);
    const id = await harness.publish(file, { name: "big", version: "1" });
    const task = await harness.createTask(id);
    const all = [laptop, ...others];
    await harness.waitForTask(task, (one) => leads(one, laptop) && bytesFrom(one, "wan") > 0);
    expect((await laptop.status()).conditions).toMatchObject({ onBattery: false, batteryPercent: 90 });

    await setLaptop(false, 30);
    const handedOver = await harness.waitForTask(
      task,
      (one) => representativeOf(one, others) !== null && reasonsOf(one, laptop).includes(notElected),
    );
    expect(leads(handedOver, laptop)).toBe(false);
    expect(partOf(handedOver, laptop).state).not.toBe("failed");
    const shown = await harness.run("peer", "status", "--data", laptop.data);
    expect(shown.stdout).toContain(notElected);
    expect(shown.stdout).toContain("conditions: on battery at 30 %");
    // The others take what the laptop has downloaded.
    const before = bytesFrom(handedOver, "wan");
    await harness.waitForTask(task, (one) => bytesFrom(one, "wan") > before + 250_000);
    expect(leads(await harness.client.task(task, "all"), laptop)).toBe(false);

    await setLaptop(true, 31);
    const free = await harness.waitForTask(task, (one) => !reasonsOf(one, laptop).includes(notElected));
    const successor = representativeOf(free, others)!;
    await successor.kill();
    await harness.waitForTask(task, (one) => leads(one, laptop));
    await harness.setSetting("default", "wanRate=none");
    const left = all.filter((peer) => peer !== successor);
    const done = await harness.waitUntilComplete(task, left);
    for (const peer of left) expect(await harness.copyError(peer, file, "big", "1")).toBeNull();
    // The killed device alone may have had chunks that are downloaded again, and those in flight.
    expect(wanBytesFetched(done)).toBeLessThan(1.3 * packageBytes);
  },
  180_000,
);

guardTest(
  "a device that its guard pauses takes no part, and completes from its neighbours once it charges",
  async () => {
    await using harness = await openHarness({ settings: ["guardInterval=1s", "guardBattery=pause"] });
    const supplies = join(harness.folder, "supplies");
    const setLaptop = await openLaptop(supplies);
    await setLaptop(false, 30);
    const laptop = await harness.startPeer({ name: "laptop", programs: withSupplies(supplies) });
    const other = await harness.startPeer();
    const file = await harness.makeFile("small.bin", 2_000_000);
    const task = await harness.createTask(await harness.publish(file, { name: "small", version: "1" }));
    const paused = await harness.waitForTask(
      task,
      (one) =>
        partOf(one, other).state === "complete" &&
        reasonsOf(one, laptop) === "paused on this device: on battery (guardBattery)",
    );
    expect(partOf(paused, laptop)).toMatchObject({ state: "waiting", role: "none", bytesVerified: 0 });

    await setLaptop(true, 31);
    const done = await harness.waitUntilComplete(task, [laptop, other]);
    expect(partOf(done, laptop).from.wan).toBe(0);
    expect(bytesFrom(done, "wan")).toBe(2_000_000);
    expect(await harness.copyError(laptop, file, "small", "1")).toBeNull();
  },
  120_000,
);
