/**
 * The boot image in virtual machines (qemu without KVM): two machines start from the network by
 * iPXE, enrol, and get an image on their empty disks by multicast. One of them loses its power
 * half-way. Their cards compute no checksums, which Linux 6.1 sends no runs of datagrams through.
 */
import { expect } from "bun:test";
import { randomBytes } from "node:crypto";
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bootPrograms } from "../scripts/imaging-lab/boot-server.ts";
import { openImagingLan, type ImagingLan, type ImagingShape } from "../scripts/imaging-lab/imaging-lan.ts";
import { machinePrograms } from "../scripts/imaging-lab/virtual-machine.ts";
import { labPrograms } from "../scripts/lab/machine.ts";
import type { TaskDetail, TaskDevice } from "../shared/api/schema/admin.ts";
import { reasonsText } from "../shared/model/reason.ts";
import { createCleanups } from "./cleanups.ts";
import { until, wanBytesFetched } from "./harness.ts";
import { emulatorTest } from "./network-test.ts";

const imageBytes = 64 * 1_048_576;
/** Without KVM, a machine takes half a minute to its first check-in, and longer under load. */
const waitMs = 420_000;

/** Each question is a program that takes processor time from the machines. */
const pollMs = 1_000;

const shape: ImagingShape = {
  machines: 2,
  diskBytes: imageBytes + 32 * 1_048_576,
  settings: ["sessionStartDelay=500ms", "reportInterval=200ms", "checkInInterval=5s", "wanRate=20mbit"],
  agent: null,
  hasChecksums: () => false,
};

const machineTest = await emulatorTest({
  ...labPrograms,
  ...bootPrograms,
  ...machinePrograms,
  nft: "nftables",
  "dpkg-deb": "dpkg",
});
const { addCleanup } = createCleanups();

async function digestOf(path: string): Promise<string> {
  const file = await open(path, "r");
  const bytes = Buffer.alloc(imageBytes);
  await file.read(bytes, 0, imageBytes, 0);
  await file.close();
  return Bun.SHA256.hash(bytes, "hex");
}

const isComplete = ({ state }: TaskDevice): boolean => state === "complete";

const stateOf = ({ deviceId, state, role, bytesVerified, from, reasons }: TaskDevice): string =>
  `${deviceId} ${state} ${role} ${bytesVerified} ${JSON.stringify(from)} ${reasonsText(reasons)}`;

/** Waits for a state of the task, and fails with what the machines show. */
async function untilTask(
  lan: ImagingLan,
  taskId: number,
  is: (task: TaskDetail) => boolean,
): Promise<TaskDetail> {
  let last: TaskDetail | null = null;
  return until(
    async () => `${last?.deviceList.map(stateOf).join("\n")}\n${await lan.consoles()}`,
    waitMs,
    async () => {
      await Bun.sleep(pollMs);
      last = await lan.task(taskId);
      return is(last) ? last : null;
    },
  );
}

machineTest(
  "two machines get the image over one download, one of them after it lost its power half-way",
  async () => {
    const lan = await openImagingLan(shape, { add: (_what, step) => addCleanup(step) });
    const { machines, source } = lan;
    const path = join(lan.folder, "desktop.img");
    const bytes = randomBytes(imageBytes);
    await writeFile(path, bytes);
    const id = await source.admin("publish", path, "--name", "desktop", "--version", "1");
    for (const machine of machines) machine.start("network");
    const devices = await until(lan.consoles, waitMs, async () => {
      await Bun.sleep(pollMs);
      const found = await lan.devices();
      return found.size === machines.length ? found : null;
    });
    const taskId = Number(await source.admin("task", "create", id, "--action", "image"));
    let cut: TaskDevice | undefined;
    await untilTask(lan, taskId, ({ deviceList }) => {
      cut = deviceList.find(({ role, bytesVerified }) => role === "peer" && bytesVerified > imageBytes / 2);
      return cut !== undefined;
    });
    const machine = machines.find(({ number }) => devices.get(number)!.id === cut!.deviceId)!;
    expect(cut!.from.multicast).toBeGreaterThan(0.3 * imageBytes);
    await machine.cutPower();
    machine.start("network");
    const done = await untilTask(
      lan,
      taskId,
      ({ deviceList }) => deviceList.filter(isComplete).length === machines.length,
    );
    // The agents have synced the disks.
    for (const each of machines) await each.cutPower();
    const digest = Bun.SHA256.hash(bytes, "hex");
    for (const { disk } of machines) expect(await digestOf(disk)).toBe(digest);
    expect(wanBytesFetched(done)).toBeLessThan(1.03 * imageBytes);
    // The machine without power is the same device again, and reports what was on its disk.
    const known = [...devices.values()].map((device) => device.id);
    expect(done.deviceList.map(({ deviceId }) => deviceId).toSorted()).toEqual(known.toSorted());
    const again = done.deviceList.find(({ deviceId }) => deviceId === cut!.deviceId)!;
    expect(again.from.cache).toBeGreaterThan(0.4 * imageBytes);
  },
  3 * waitMs,
);
