/**
 * Devices of the demo: processes on loopback. A simulated subnet is a multicast group and a UDP
 * port of its own. Both are chosen at random, so that two demos do not receive each other's frames.
 */
import dgram from "node:dgram";
import { randomInt } from "node:crypto";
import { join } from "node:path";
import type { AdminClient } from "../../shared/api/agent-client.ts";
import { enrollTokenOf, startDevice, type Device, type Source } from "../rig/deployment.ts";
import { deviceIdOf } from "../rig/ledger-reader.ts";
import { logTail } from "../rig/process.ts";
import { programsFromSource } from "../rig/programs.ts";

export type DemoDevice = Device & {
  readonly subnet: string;
  /** Device id; empty until the device has enrolled. */
  id: string;
};

const enrolLimitMs = 60_000;

/** Returns a UDP port that is currently free. */
function freeUdpPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = dgram.createSocket("udp4");
    socket.once("error", reject);
    socket.bind(0, () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
}

/** Returns a random group of the organization-local scope (RFC 2365), as "ADDRESS:PORT". */
export const randomGroup = async (): Promise<string> =>
  `239.${192 + randomInt(4)}.${randomInt(256)}.${1 + randomInt(254)}:${await freeUdpPort()}`;

/** Starts the devices of all subnets; does not wait for their enrolment. */
export async function startDemoDevices(
  source: Source,
  folder: string,
  shape: { readonly subnets: number; readonly devices: number },
): Promise<DemoDevice[]> {
  const enrollToken = await enrollTokenOf(source);
  const devices: DemoDevice[] = [];
  for (let subnet = 1; subnet <= shape.subnets; subnet++) {
    const group = await randomGroup();
    for (let at = 1; at <= shape.devices; at++) {
      const name = `device${at}`;
      const device = startDevice({
        programs: programsFromSource,
        name,
        data: join(folder, `subnet${subnet}-${name}`),
        sourceUrl: source.url,
        enrollToken,
        interfaceAddress: "127.0.0.1",
        group,
      });
      devices.push(Object.assign(device, { subnet: `subnet ${subnet}`, id: "" }));
    }
  }
  return devices;
}

/**
 * Waits until every device has enrolled and checked in.
 * @throws Error with the tail of the log of a device that exited or took too long
 */
export async function untilEnrolled(devices: readonly DemoDevice[], client: AdminClient): Promise<void> {
  const giveUpAtMs = Date.now() + enrolLimitMs;
  for (;;) {
    for (const device of devices) device.id ||= deviceIdOf(device.data) ?? "";
    const checkedIn = (await client.devices()).filter(({ inventory }) => inventory !== null);
    const missing = devices.filter(({ id }) => !checkedIn.some((known) => known.id === id));
    if (missing.length === 0) return;
    const failed =
      devices.find(({ program }) => program.exitStatus() !== null) ??
      (Date.now() > giveUpAtMs ? missing[0] : null);
    if (failed) {
      const status = failed.program.exitStatus();
      throw new Error(
        `${failed.subnet} ${failed.name} ${status === null ? "did not enrol" : `ended with status ${status}`}. The end of its log (${failed.program.logFile}):\n${await logTail(failed.program)}`,
      );
    }
    await Bun.sleep(100);
  }
}
