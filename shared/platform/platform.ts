/**
 * The operations that differ between operating systems and that Node.js and Bun do not cover.
 *
 * `linux.ts`, `darwin.ts` and `windows.ts` each export all of them; a test compares their exports.
 * Only this folder reads `process.platform`.
 */
import type { Stats } from "node:fs";
import type { DiskFacts, MachineEnd } from "../model/image-order.ts";
import type { SystemConditions } from "../model/conditions.ts";
import type { CommandShell, OperatingSystem } from "../model/package-command.ts";
import type { MachineId } from "./machine-uuid.ts";
import type { ServiceConnection, ServiceManager, ServiceName } from "./service.ts";

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

/** An interface as the kernel lists it, with or without an address. */
export type KernelInterface = {
  /** Null if the system does not report the traits. */
  readonly traits: InterfaceTraits | null;
  readonly link: Link;
  /**
   * Whether the interface is not listed without an address: a port of a bridge, a member of a bond,
   * Windows' own software, and every interface of macOS.
   */
  readonly isPart: boolean;
};

export type KernelNetwork = {
  /** By name. An interface of `node:os` that is not listed counts as up. */
  readonly interfaces: ReadonlyMap<string, KernelInterface>;
  /** IPv4 addresses of default gateways by interface. */
  readonly gateways: ReadonlyMap<string, ReadonlySet<string>>;
};

export type DeviceClass = "server" | "desktop" | "laptop" | "unknown";

/** A process and its descendants. */
export type ProcessTree = {
  /** Signals all of them; does nothing when they have exited. On Windows every signal is a kill. */
  signal(signal: NodeJS.Signals): void;
  isRunning(): boolean;
  /** Forgets the processes; those that run continue. */
  close(): void;
};

export type CommandSpec = {
  /** Text for the shell. */
  readonly line: string;
  /** Shell that the command asks for; null: the system's. */
  readonly shell: CommandShell | null;
  readonly folder: string;
  /** Variables in addition to the fixed ones, which contain nothing of the agent's environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** File in which the exit status is stored, as a line "KEY STATUS". */
  readonly status: { readonly path: string; readonly key: string };
  /** Existing file to which the output and the errors are appended. */
  readonly outputPath: string;
};
export type StartedCommand = {
  readonly pid: number;
  readonly tree: ProcessTree;
  /** Resolves to the exit status; null if a signal ended the command. */
  readonly exited: Promise<number | null>;
};

/** A whole disk that no other program uses until it is released. */
export type DiskClaim = {
  /**
   * Has the disk make a range of at most 64 MiB zero, in whole blocks. Returns false if the disk
   * cannot: the zeros are then written.
   */
  zero(position: number, length: number): boolean;
  /** Removes what was read or written from the page cache, so that the next read asks the disk. */
  dropCached(): void;
  /** Has the kernel read the partitions, and lets other programs use the disk. */
  release(): void;
};

/**
 * How a path is judged: "own" is a file or folder of this program, "parent" a folder that leads to
 * it, "link" a symbolic link on the way. A "group-secret" may be read by a group that root chose.
 */
export type AccessRole = "own" | "parent" | "link" | "secret" | "group-secret";

/** No function blocks on a process or a device: those that may have to wait return a promise. */
export type Platform = {
  kernelNetwork(): Promise<KernelNetwork>;
  /**
   * IPv4 address of the gateway that routes through this interface name, a default route's first.
   * Routes of other interfaces, such as a VPN's, do not count.
   */
  gatewayOf(interfaceName: string): Promise<string | null>;
  /** @returns the MAC in lower case with colons; null if the neighbour table has none */
  neighbourMac(interfaceName: string, neighbour: string): Promise<string | null>;
  /** @returns the MTU of the interface; null if the system does not report it */
  mtuOf(name: string): Promise<number | null>;
  /** Whether `mtuOf` costs next to nothing, and may be called every few seconds. */
  readonly watchesMtu: boolean;

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
  /**
   * Makes all earlier writes to the file system of `path` durable. Returns false if the system
   * cannot do that.
   * @throws Error when the disk reports a failure
   */
  syncFileSystem(path: string): Promise<boolean>;
  /** Whether a folder must be synced for a rename in it to survive a power cut. */
  readonly syncsFolders: boolean;
  /** Whether an open file cannot be moved or removed, for example while a scanner reads it. */
  readonly locksOpenFiles: boolean;
  /**
   * Declares that gaps of the file take no space, where the system otherwise writes zeros into
   * them. Returns false if the file system refuses.
   */
  setSparse(path: string): boolean;
  /** Takes `setSparse` back. Gaps are filled with zeros, which may take as long as writing them. */
  clearSparse(path: string, hasGaps: boolean): Promise<void>;

  /**
   * Reads the conditions of the machine, which may take a second.
   * @param interfaceName the active interface; null: none
   */
  conditions(interfaceName: string | null): Promise<SystemConditions>;
  /** Returns "unknown" if the system cannot be asked. */
  deviceClass(): Promise<DeviceClass>;

  /** Longest path of a Unix socket; 0: the runtime has none here. */
  readonly unixSocketPathBytes: number;
  /**
   * Returns what lets other users use a path in a way that its role forbids, and what to do; null
   * if nothing does. System and administrators do not count as other users. Follows no link.
   * @param found state of the file at the path; default: the present one
   * @throws Error of the file system
   */
  accessProblem(path: string, role: AccessRole, found?: Stats): string | null;
  /**
   * Takes the rights of all other users to a path, and to what is created in it later.
   * @throws Error of the file system
   */
  makePrivate(path: string, kind: "file" | "folder"): void;
  /** Whether no other user may use the folder. */
  isPrivate(folder: string): boolean;

  /** Whether this process may do everything on the machine. */
  isAdministrator(): boolean;
  readonly os: OperatingSystem;
  /**
   * Returns a text that differs after each restart of the operating system and never otherwise,
   * also not when the clock is set. Null if the system does not tell.
   */
  bootId(): Promise<string | null>;
  /** Returns ids that stay when the data folder is removed. None of them is sent anywhere. */
  machineId(): Promise<MachineId>;
  /**
   * Starts a command that continues when this process ends.
   * @throws Error when the system refuses
   */
  startCommand(spec: CommandSpec): StartedCommand;
  /** Returns a fixed environment for programs, without what the agent's own contains. */
  systemEnvironment(): Record<string, string>;
  /** Whether a process can lead a group of its own, which signals reach as a whole. */
  readonly hasProcessGroups: boolean;
  /**
   * Returns a text that differs between two processes of the same id, also after a restart of the
   * machine; null if the process has ended, or the system does not tell.
   */
  processStart(pid: number): Promise<string | null>;
  /** Returns the tree of a command that an earlier process of the agent started. */
  processTree(pid: number): ProcessTree;

  /**
   * Returns the names of the running programs, such as "EXCEL.EXE" or "soffice.bin". Empty if the
   * system does not tell.
   */
  runningPrograms(): Promise<readonly string[]>;
  /** Whether names of programs that differ in case only are equal. */
  readonly ignoresCase: boolean;
  /**
   * Returns the time since the last input of any local user; null if no user is logged on, or the
   * system does not tell.
   */
  userIdleMs(): Promise<number | null>;
  /** Returns the disks of this machine; none where no imaging environment runs. */
  listDisks(): Promise<readonly DiskFacts[]>;
  /**
   * Claims a whole disk.
   * @throws Error with code EBUSY when it is in use
   */
  claimDisk(path: string): DiskClaim;
  /**
   * Restarts the machine or switches it off.
   * @throws Error when the system refuses
   */
  endMachine(how: Exclude<MachineEnd, "stay">): Promise<void>;
  /** Returns the command that opens an address in the default browser of the user. */
  browserCommand(address: string): readonly string[];

  readonly serviceManager: ServiceManager;
  /**
   * Connects a process to the service manager that started it, and that has to be told so; null
   * where signals do that.
   * @param onStop called when the service has to stop
   * @throws ServiceError
   */
  readonly connectToManager: ((name: ServiceName, onStop: () => void) => ServiceConnection) | null;
};
