/** Parts and options of an agent, from its command line and its data folder. */
import type { DistributionCache, Identity } from "../cache/index.ts";
import type { BarCode } from "../model/enrolment.ts";
import type { Upgrades } from "../device/ports.ts";
import type { DiskChoice } from "../model/image-order.ts";
import type { Logger } from "../log.ts";
import type { Group } from "../net/lan/multicast-group.ts";
import type { ConditionsReader } from "./conditions-reader.ts";
import type { LogTail } from "./log-tail.ts";
import type { MetricsAddress } from "./status/metrics-server.ts";

/** Limits that the person at the machine sets to its orders; null: none. */
export type Imaging = { readonly onlyTask: number | null; readonly onlyDisk: DiskChoice | null };

export type AgentOptions = {
  dataFolder: string;
  conditions: ConditionsReader;
  log: Logger;
  logTail: LogTail;
  cache: DistributionCache;
  identity: Identity;
  /** `--source` of the command line. */
  sourceUrl: string;
  /** `--allow-plain-http`: a source without TLS may be on another machine. */
  allowsPlainHttp: boolean;
  /** `--interface`: an address or a name; null selects automatically. */
  interfaceNamed: string | null;
  group: Group;
  /** Whether `--group` was given; the group is then part of the subnet's identity. */
  groupIsNamed: boolean;
  /** TCP port of the LAN exchange; 0 takes any free one. */
  lanPort: number;
  /** `--metrics`: where the metrics are served to every user of the machine; null: nowhere. */
  metrics: MetricsAddress | null;
  /** Size of the receive buffer to request from the system. */
  receiveBufferBytes: number;
  /** Groups that the device wishes to be in. */
  groups: readonly string[];
  /** Whether the agent volunteers as representative for every task. */
  volunteer: boolean;
  /** The source refuses the credential for good. */
  onBarred: (code: BarCode) => void;
  /** `--imaging`: the machine runs to have images written to its disks; null: it does not. */
  imaging: Imaging | null;
  upgrades: Upgrades;
  /** Called after each check-in. */
  onCheckIn: () => void;
  /** Ends the program. */
  onBug: (error: Error) => void;
};
