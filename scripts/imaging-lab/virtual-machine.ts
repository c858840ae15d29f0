/**
 * Virtual machines of qemu (without KVM) on the switch of a lab's site: each has one virtio card
 * and one disk. The ROM of the card is iPXE, which starts the machine from the network.
 */
import { readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { inside, ip } from "../lab/namespace.ts";
import { launch, outputOf, type RunningProgram } from "../rig/process.ts";

/** Program → Debian package. */
export const machinePrograms: Readonly<Record<string, string>> = {
  "qemu-system-x86_64": "qemu-system-x86",
  "/usr/lib/ipxe/qemu/efi-virtio.rom": "ipxe-qemu",
};

const memoryMb = 768;

type MachineSpec = {
  /** Namespace with the bridge `lan`. */
  readonly namespace: string;
  /** From 1; the last byte of the card's address. */
  readonly number: number;
  /** Folder of the disk and the console. */
  readonly folder: string;
  readonly diskBytes: number;
  /** Whether the card computes checksums, as most do. */
  readonly hasChecksums: boolean;
};

export const cardOf = (number: number): string => `52:54:00:77:00:${String(number).padStart(2, "0")}`;

export class VirtualMachine {
  readonly number: number;
  /** File with the bytes of the disk. */
  readonly disk: string;
  readonly #spec: MachineSpec;
  #program: RunningProgram | null = null;

  private constructor(spec: MachineSpec) {
    this.#spec = spec;
    this.number = spec.number;
    this.disk = join(spec.folder, `disk${spec.number}.raw`);
  }

  /** Makes an empty disk and a port of the switch. The machine is not started. */
  static async make(spec: MachineSpec): Promise<VirtualMachine> {
    const machine = new VirtualMachine(spec);
    await writeFile(machine.disk, "");
    await truncate(machine.disk, spec.diskBytes);
    const port = machine.#port;
    await outputOf(["ip", "-n", spec.namespace, "tuntap", "add", "mode", "tap", "name", port]);
    await ip(spec.namespace, [`link set ${port} master lan`, `link set ${port} up`]);
    return machine;
  }

  get #port(): string {
    return `tap${this.number}`;
  }

  /** Last lines of the serial console, over all starts. */
  async consoleTail(lines = 20): Promise<string> {
    const text = stripVTControlCharacters(await readFile(this.#console, "utf8").catch(() => ""));
    return text.trimEnd().split(/\r?\n/).slice(-lines).join("\n");
  }

  get #console(): string {
    return join(this.#spec.folder, `console${this.number}`);
  }

  /** @param from where the firmware looks for a system */
  start(from: "network" | "disk"): void {
    const { namespace, number, folder, hasChecksums } = this.#spec;
    const card = `virtio-net-pci,netdev=lan,mac=${cardOf(number)}`;
    const offloads = hasChecksums ? "" : ",csum=off,guest_csum=off,gso=off";
    const words = `-accel tcg -cpu max -smp 1 -m ${memoryMb} -display none -no-reboot -boot ${from === "network" ? "n" : "c"}
      -uuid 00000000-0000-4000-8000-0000000000${String(number).padStart(2, "0")}
      -chardev file,id=console,path=${this.#console},append=on -serial chardev:console
      -netdev tap,id=lan,ifname=${this.#port},script=no,downscript=no -device ${card}${offloads}
      -drive file=${this.disk},format=raw,if=virtio`;
    this.#program = launch({
      name: `machine ${number}`,
      command: [...inside(namespace), "qemu-system-x86_64", ...words.split(/\s+/)],
      logFile: join(folder, `qemu${number}.log`),
    });
  }

  /** Ends the machine as a power cut does. */
  async cutPower(): Promise<void> {
    await this.#program?.stop("SIGKILL");
  }

  /** Whether the machine has ended: it was switched off, or restarted itself. */
  get isOff(): boolean {
    return this.#program === null || this.#program.exitStatus() !== null;
  }
}
