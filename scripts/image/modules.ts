/** Drivers of the boot image: kernel modules with those they depend on, in the order of loading. */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";

/** Disks, network cards and keyboards; a kernel that lacks one has it built in, or not at all. */
export const wantedModules = `
  virtio_pci virtio_blk virtio_scsi virtio_net nvme ahci ata_piix sd_mod
  usb_storage uas mpt3sas megaraid_sas mmc_block sdhci_pci vmd vmw_pvscsi
  hv_storvsc hv_netvsc vmxnet3 e1000 e1000e igb igc ixgbe
  r8169 tg3 bnx2 atlantic alx sky2 forcedeth xhci_pci
  ehci_pci uhci_hcd usbhid hid_generic cdc_ether r8152 ax88179_178a
`
  .trim()
  .split(/\s+/);

/** Name of a module: file names may have "-" where names have "_". */
const nameOf = (path: string): string => basename(path, ".ko").replaceAll("-", "_");

/** Returns what the section .modinfo of a module states: names of other modules. */
export function dependenciesIn(bytes: Uint8Array): string[] {
  const found = /\0(?:depends)=([^\0]*)\0/.exec(Buffer.from(bytes).toString("latin1"))?.[1] ?? "";
  return found === "" ? [] : found.split(",").map((name) => name.replaceAll("-", "_"));
}

/**
 * Returns paths of modules, each after those it depends on.
 * @param folder lib/modules/VERSION of an unpacked kernel
 */
export async function modulesInOrder(folder: string): Promise<string[]> {
  const paths = new Map<string, string>();
  for await (const path of new Bun.Glob("**/*.ko").scan({ cwd: folder, absolute: true }))
    paths.set(nameOf(path), path);
  const order = new Set<string>();
  const add = async (name: string): Promise<void> => {
    const path = paths.get(name);
    if (path === undefined || order.has(path)) return;
    for (const needed of dependenciesIn(await readFile(path))) await add(needed);
    order.add(path);
  };
  for (const name of wantedModules) await add(name);
  return [...order];
}
