/**
 * What the product asks of the operating system it runs on, beyond what Node.js and Bun do alike everywhere. linux.ts,
 * darwin.ts and windows.ts have these exports each; `process.platform` is read in this folder alone.
 */

/** What the kernel reports of a network interface. */
export type InterfaceTraits = {
  /** ARPHRD_… of if_arp.h: 1 Ethernet, 32 InfiniBand, 801 … 803 802.11, 512 PPP, 65534 none (tun, WireGuard). */
  readonly type: number;
  /** DEVTYPE of its uevent: "bridge", "vlan", "bond", "wlan", "wireguard" …, or empty. */
  readonly kind: string;
  readonly isTunnel: boolean;
  readonly isWireless: boolean;
  /** There is hardware behind the interface; for a bridge: behind one of its ports. */
  readonly hasHardware: boolean;
};

/** `changes` counts how often the link came and went; 0 where the system does not count. */
export type Link = { readonly isUp: boolean; readonly changes: number };

export type DeviceClass = "server" | "desktop" | "laptop" | "unknown";

export type Platform = {
  /** @returns null where the system does not report them */
  interfaceTraits(name: string): InterfaceTraits | null;
  /** Interfaces that the kernel lists, also those without an address or a link; no ports of others. */
  kernelInterfaces(): string[];
  linkOf(name: string): Link;
  /** Whether the interface is a radio although its traits and its name do not show it. */
  isWireless(name: string): boolean;
  /** IPv4 addresses of default gateways, by interface; empty where looking them up starts a process. */
  defaultGateways(): Map<string, Set<string>>;
  /** @returns lower-case, with colons; null when it is not known */
  gatewayMac(interfaceName: string): string | null;

  /** The address that a socket of the group binds to; undefined: any. */
  groupBindAddress(group: string): string | undefined;
  /** Files of the C library whose batch calls net/lan uses; empty: sockets of the runtime are used. */
  readonly libraryNames: readonly string[];
  /** Bytes of a socket's receive buffer, from what the system reports. */
  receiveBufferBytes(reported: number): number;
  /** The command that raises the limit of receive buffers; null: none is known. */
  raiseReceiveBuffer(bytes: number): string | null;
  /** Datagrams dropped at full receive buffers of this process's sockets on a port; null: not reported. */
  kernelDrops(port: number): number | null;

  /** O_DIRECT goes past the page cache. */
  readonly hasDirectIo: boolean;
  /** A folder is synced so that a rename in it lasts. */
  readonly syncsFolders: boolean;

  /** False where the system does not tell. @throws Error when it cannot be asked */
  onBattery(): boolean;
  /** @throws Error when the system cannot be asked */
  deviceClass(): DeviceClass;

  /** Program and arguments that run a command line. */
  shell(command: string): string[];
  /** A command gets a process group of its own, which is ended as a whole. */
  readonly hasProcessGroups: boolean;
  /** Ends a process and all that it started; quiet when it is gone. */
  signalTree(pid: number, signal: NodeJS.Signals): void;
  /** Whether anything of the tree runs; null: only the process itself can be looked at. */
  isTreeAlive(pid: number): boolean | null;
};
