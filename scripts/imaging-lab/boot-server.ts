/**
 * Servers that start the machines of a LAN, both at its router: DHCP that names a script for iPXE
 * (dnsmasq), and a web site with the boot files (nginx).
 */
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inside } from "../lab/namespace.ts";
import { startNginx } from "../lab/web.ts";
import { launch, logTail } from "../rig/process.ts";
import { bootFiles } from "../../shared/source/boot/boot-files.ts";
import { cardOf } from "./virtual-machine.ts";

/** Program → Debian package. */
export const bootPrograms: Readonly<Record<string, string>> = {
  dnsmasq: "dnsmasq-base",
  nginx: "nginx-light",
};

const ownScript = "flockcast.ipxe";

type BootServer = {
  /** Namespace with the bridge `lan`. */
  readonly namespace: string;
  readonly address: string;
  /** Folder with the boot files. */
  readonly files: string;
  readonly folder: string;
  /** Address of each machine of the LAN, by its number. */
  readonly addresses: ReadonlyMap<number, string>;
  /** Kernel arguments of all machines. */
  readonly kernelWords: readonly string[];
};

/** Starts both servers. @throws Error with the tail of a log */
export async function startBootServer(server: BootServer): Promise<void> {
  const { namespace, address, files, folder } = server;
  await rename(join(files, bootFiles.script), join(files, ownScript));
  const script = `#!ipxe\nset flockcast ${server.kernelWords.join(" ")}\nchain ${ownScript}\n`;
  await writeFile(join(files, bootFiles.script), script);
  const { url } = await startNginx(namespace, address, files, join(folder, "boot-nginx"));
  const dnsmasq = launch({
    name: "dnsmasq",
    command: [...inside(namespace), "dnsmasq", ...dnsmasqWords(server, `${url}/${bootFiles.script}`)],
    logFile: join(folder, "dnsmasq.log"),
  });
  await Bun.sleep(300);
  if (dnsmasq.exitStatus() !== null) throw new Error(`dnsmasq did not start:\n${await logTail(dnsmasq)}`);
}

/** Words of dnsmasq: no DNS, fixed addresses, and a script for iPXE (option 175) only. */
function dnsmasqWords({ address, folder, addresses }: BootServer, scriptUrl: string): string[] {
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
    `--dhcp-option=option:router,${address}`,
    "--dhcp-match=set:ipxe,175",
    `--dhcp-boot=tag:ipxe,${scriptUrl}`,
    ...[...addresses].map(([number, own]) => `--dhcp-host=${cardOf(number)},${own}`),
  ];
}
