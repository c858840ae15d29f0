/**
 * The operations that differ between operating systems and that Node.js and Bun do not cover.
 *
 * `linux.ts`, `darwin.ts` and `windows.ts` each export all of them; a test compares their exports.
 * Only this folder reads `process.platform`.
 */

/** Properties of a network interface as the kernel reports them. */
export type InterfaceTraits = {
  /**
   * ARPHRD_… of if_arp.h: 1 Ethernet, 32 InfiniBand, 801 … 803 802.11, 512 PPP, 65534 none (tun,
   * WireGuard).
   */
  readonly type: number;
  /** DEVTYPE of the uevent: "bridge", "vlan", "bond", "wlan", "wireguard" …; or empty. */
  readonly kind: string;
  readonly isTunnel: boolean;
  readonly isWireless: boolean;
  /** Whether the interface, or a port of a bridge, is backed by hardware. */
  readonly hasHardware: boolean;
};

/** `changes` counts link state changes; 0 if the system does not count them. */
export type Link = { readonly isUp: boolean; readonly changes: number };

export type DeviceClass = "server" | "desktop" | "laptop" | "unknown";

export type Platform = {
  /** @returns null if the system does not report the traits */
  interfaceTraits(name: string): InterfaceTraits | null;
  /**
   * Names of the interfaces that the kernel lists, including those without an address or a link.
   * Ports of bridges and members of bonds are left out.
   */
  kernelInterfaces(): string[];
  /** Link of the interface; counts as up if the system does not report it. */
  linkOf(name: string): Link;
  /** Detects Wi-Fi that neither the traits nor the name of the interface reveal. */
  isWireless(name: string): boolean;
  /** IPv4 addresses of default gateways by interface; empty if a look-up would start a process. */
  defaultGateways(): Map<string, Set<string>>;
  /** @returns the MAC in lower case with colons; null if it is not known */
  gatewayMac(interfaceName: string): string | null;

  /** Address that a receiving socket of the group binds to; undefined means any. */
  groupBindAddress(group: string): string | undefined;
  /** Candidate files of the C library for `net/lan`; empty means sockets of the runtime. */
  readonly libraryNames: readonly string[];
  /** Usable bytes of a receive buffer, computed from the size that the system reports. */
  receiveBufferBytes(reported: number): number;
  /** Command that raises the limit of receive buffers; null if none is known. */
  raiseReceiveBuffer(bytes: number): string | null;
  /**
   * Datagrams that full receive buffers of this process's sockets on the port dropped; null if the
   * system does not report them.
   */
  kernelDrops(port: number): number | null;

  /** Whether O_DIRECT bypasses the page cache. */
  readonly hasDirectIo: boolean;
  /** Whether a folder must be synced for a rename in it to survive a power cut. */
  readonly syncsFolders: boolean;

  /**
   * Returns false if the system does not report the power source.
   * @throws Error when the system cannot be asked
   */
  onBattery(): boolean;
  /** @throws Error when the system cannot be asked */
  deviceClass(): DeviceClass;

  /** Program and arguments that run a command line in the system's shell. */
  shell(command: string): string[];
  /** Whether a command can run in its own process group, which signals reach as a whole. */
  readonly hasProcessGroups: boolean;
  /** Signals a process and its descendants; does nothing when they have exited. */
  signalTree(pid: number, signal: NodeJS.Signals): void;
  /** Whether any process of the tree runs; null if only the root process can be checked. */
  isTreeRunning(pid: number): boolean | null;
};
