/**
 * Start of machines from the network: the source serves the boot files over plain HTTP, and DHCP of
 * the router (dnsmasq) names the script for iPXE.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bootFiles } from "../../shared/source/boot/boot-files.ts";
import { inside } from "../lab/namespace.ts";
import { launch, logTail } from "../rig/process.ts";
import { cardOf } from "./virtual-machine.ts";

/** Program → Debian package. */
export const bootPrograms: Readonly<Record<string, string>> = { dnsmasq: "dnsmasq-base" };

/**
 * Adds kernel arguments to the script, as an administrator does. "no_timer_check" is for machines
 * whose clock stands still while the host is busy.
 */
export async function addKernelWords(folder: string, token: string): Promise<void> {
  const file = join(folder, bootFiles.script);
  const words = ["console=ttyS0", "no_timer_check", `flockcast.token=${token}`];
  const script = await readFile(file, "utf8");
  await writeFile(file, script.replace("#!ipxe\n", `#!ipxe\nset flockcast ${words.join(" ")}\n`));
}

type Dhcp = {
  /** Namespace with the bridge `lan`. */
  readonly namespace: string;
  /** Address of the router. */
  readonly gateway: string;
  readonly folder: string;
  /** Address of each machine of the LAN, by its number. */
  readonly addresses: ReadonlyMap<number, string>;
  /** Address of the boot files. */
  readonly bootUrl: string;
};

/** Starts the DHCP server. @throws Error with the tail of its log */
export async function startDhcp(dhcp: Dhcp): Promise<void> {
  const dnsmasq = launch({
    name: "dnsmasq",
    command: [...inside(dhcp.namespace), "dnsmasq", ...dnsmasqWords(dhcp)],
    logFile: join(dhcp.folder, "dnsmasq.log"),
  });
  await Bun.sleep(300);
  if (dnsmasq.exitStatus() !== null) throw new Error(`dnsmasq did not start:\n${await logTail(dnsmasq)}`);
}

/** Words of dnsmasq: no DNS, fixed addresses, and a script for iPXE (option 175) only. */
function dnsmasqWords({ gateway, folder, addresses, bootUrl }: Dhcp): string[] {
  const [first] = addresses.values();
  return [
    "--keep-in-foreground",
    "--conf-file=/dev/null",
    "--user=root",
    "--pid-file",
    "--port=0",
    "--log-facility=-",
    "--interface=lan",
    "--bind-interfaces",
    "--dhcp-authoritative",
    "--no-ping",
    `--dhcp-leasefile=${join(folder, "leases")}`,
    `--dhcp-range=${first},static,255.255.255.0`,
    `--dhcp-option=option:router,${gateway}`,
    "--dhcp-match=set:ipxe,175",
    `--dhcp-boot=tag:ipxe,${bootUrl}/${bootFiles.script}`,
    ...[...addresses].map(([number, own]) => `--dhcp-host=${cardOf(number)},${own}`),
  ];
}
