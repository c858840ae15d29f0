/**
 * A source, and a site behind a WAN link whose machines start from the network (topology.ts has the
 * namespaces). The source has the boot files, the site's router has DHCP and the switch.
 */
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { deviceSchema, type Device } from "../../shared/api/schema/device.ts";
import { tokenCreatedSchema } from "../../shared/api/schema/tokens.ts";
import { taskDetailSchema, type TaskDetail } from "../../shared/api/schema/admin.ts";
import { buildBootImage } from "../image/boot-image.ts";
import { inside } from "../lab/namespace.ts";
import { unmountBelow } from "../lab/small-disk.ts";
import { removeRunRecord, writeRunRecord } from "../lab/stale-runs.ts";
import { buildNetwork, gatewayOf, planNetwork, removeNetwork, type LabNetwork } from "../lab/topology.ts";
import type { Cleanup } from "../rig/cleanup.ts";
import { startSource, type Source } from "../rig/deployment.ts";
import { programsFromSource } from "../rig/programs.ts";
import { addKernelWords, startDhcp } from "./boot-server.ts";
import { countPort } from "./port-counter.ts";
import { VirtualMachine } from "./virtual-machine.ts";

/** Packages that were downloaded for the boot files, also by `bun run image`. */
const bootCache = join(import.meta.dir, "..", "..", ".boot-cache");

export type ImagingShape = {
  readonly machines: number;
  readonly diskBytes: number;
  /** Words `key=value` of the setting `default`. */
  readonly settings: readonly string[];
  /** Executable of the agent for the boot image; null: it is built. */
  readonly agent: string | null;
  /** Whether the cards compute checksums. */
  readonly hasChecksums: (number: number) => boolean;
};

export type ImagingLan = {
  readonly folder: string;
  readonly network: LabNetwork;
  readonly source: Source;
  /** Not started. */
  readonly machines: readonly VirtualMachine[];
  /** Number of a machine → its device; machines without a device are not in it. */
  readonly devices: () => Promise<ReadonlyMap<number, Device>>;
  readonly task: (taskId: number) => Promise<TaskDetail>;
  /** Ends of the consoles of all machines, for messages about a failure. */
  readonly consoles: () => Promise<string>;
};

const sourcePort = 7_443;
const bootPort = 8_080;

const addressOf = (gateway: string, number: number): string => gateway.replace(/\d+$/, String(10 + number));

const links = { subnets: 1, devices: 0, wan: 1_000, lan: 1_000, loss: 0 };

/**
 * Builds the network and the boot files, and starts the source.
 * @throws Error when a command fails; the registered steps remove what was built
 */
export async function openImagingLan(
  shape: ImagingShape,
  cleanup: Pick<Cleanup, "add">,
): Promise<ImagingLan> {
  const runId = `fcimg${randomBytes(3).toString("hex")}`;
  const folder = await mkdtemp(join(tmpdir(), "flockcast-imaging-"));
  const network = planNetwork(runId, links);
  cleanup.add("remove the record of the run", () => removeRunRecord(runId));
  cleanup.add("remove the temporary folder", async () => {
    await unmountBelow(folder);
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  });
  cleanup.add("remove the namespaces", () => removeNetwork(network));
  await writeRunRecord(runId, folder);
  await buildNetwork(network, links);
  const source = await startWithBootFiles(shape, network, folder);
  const gateway = gatewayOf(network.sites[0]!);
  const numbers = Array.from({ length: shape.machines }, (_, index) => index + 1);
  const namespace = network.sites[0]!.router;
  const addresses = new Map(numbers.map((number) => [number, addressOf(gateway, number)]));
  const bootUrl = `http://${network.sourceAddress}:${bootPort}`;
  await startDhcp({ namespace, gateway, folder, addresses, bootUrl });
  const machines: VirtualMachine[] = [];
  for (const number of numbers) {
    const hasChecksums = shape.hasChecksums(number);
    machines.push(
      await VirtualMachine.make({ namespace, number, folder, diskBytes: shape.diskBytes, hasChecksums }),
    );
  }
  return {
    folder,
    network,
    source,
    machines,
    devices: () => devicesOf(source, gateway, numbers),
    task: async (taskId) =>
      v.parse(taskDetailSchema, JSON.parse(await source.admin("task", "show", String(taskId), "--json"))),
    consoles: () => consolesOf(machines),
  };
}

/** Starts the source with boot files that contain a token for images only. */
async function startWithBootFiles(
  { machines, agent, settings }: ImagingShape,
  { source: namespace, sourceAddress }: LabNetwork,
  folder: string,
): Promise<Source> {
  const files = join(folder, "boot");
  const listen = `${sourceAddress}:${sourcePort}`;
  await mkdir(files);
  await buildBootImage({
    sourceUrl: `https://${listen}`,
    out: files,
    cache: bootCache,
    kernel: "cloud",
    agent,
  });
  await countPort(namespace, sourcePort);
  const source = await startSource({
    programs: programsFromSource,
    data: join(folder, "source"),
    listen,
    prefix: inside(namespace),
    args: ["--boot-listen", `${sourceAddress}:${bootPort}`, "--boot-dir", files],
  });
  await source.admin("setting", "set", "default", ...settings);
  // A machine without power enrols again.
  const uses = String(2 * machines);
  const words = ["--kind", "enrolment", "--scope", "imaging", "--uses", uses, "--expires", "+4h", "--json"];
  const created = await source.admin("token", "create", "boot", ...words);
  await addKernelWords(files, v.parse(tokenCreatedSchema, JSON.parse(created)).text);
  return source;
}

async function consolesOf(machines: readonly VirtualMachine[]): Promise<string> {
  const tails = await Promise.all(machines.map((machine) => machine.consoleTail()));
  return tails.map((text, index) => `--- machine ${index + 1}\n${text}`).join("\n");
}

async function devicesOf(
  source: Source,
  gateway: string,
  numbers: readonly number[],
): Promise<ReadonlyMap<number, Device>> {
  const listed = v.parse(v.array(deviceSchema), JSON.parse(await source.admin("device", "list", "--json")));
  const found = new Map<number, Device>();
  for (const number of numbers) {
    const device = listed
      .filter(({ inventory }) =>
        inventory?.interfaces.some(({ address }) => address === addressOf(gateway, number)),
      )
      .toSorted((a, b) => b.lastSeenAtMs - a.lastSeenAtMs)[0];
    if (device !== undefined) found.set(number, device);
  }
  return found;
}
