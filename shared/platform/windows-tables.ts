/**
 * Parses the tables of windows-api.ts: interfaces with their traits, routes, neighbours, power,
 * boot. Pure: names of interfaces are in the user's language, so flags and types decide.
 */
import type { Route } from "./routes.ts";
import type { DeviceClass, InterfaceTraits, KernelInterface } from "./platform.ts";

/** Row of GetIfTable2. */
export type InterfaceRow = {
  readonly index: number;
  /** Name that the user sees and may change, as node:os gives it. */
  readonly alias: string;
  readonly mac: string;
  readonly mtu: number;
  /** IANA interface type: 6 Ethernet, 24 loopback, 71 802.11 … */
  readonly type: number;
  /** NDIS_PHYSICAL_MEDIUM: 8 WWAN, 9 802.11, 10 Bluetooth … */
  readonly physicalMedium: number;
  readonly isHardware: boolean;
  /** Part of another interface's driver stack, such as a packet filter. */
  readonly isFilter: boolean;
  readonly isUp: boolean;
};

/** Offsets in MIB_IF_ROW2 (netioapi.h), the same for x64 and arm64. */
const row = {
  bytes: 1_352,
  index: 8,
  alias: 28,
  aliasUnits: 257,
  macBytes: 1_056,
  mac: 1_060,
  mtu: 1_124,
  type: 1_128,
  physicalMedium: 1_140,
  flags: 1_152,
  operationalStatus: 1_156,
  mediaState: 1_164,
} as const;
/** Bits of InterfaceAndOperStatusFlags. */
const hardwareFlag = 1;
const filterFlag = 2;
const connectorFlag = 4;
/** IF_OPER_STATUS and NET_IF_MEDIA_CONNECT_STATE. */
const statusUp = 1;
const mediaDisconnected = 2;

const macOf = (view: DataView, at: number, length: number): string =>
  Array.from({ length }, (_, index) =>
    view
      .getUint8(at + index)
      .toString(16)
      .padStart(2, "0"),
  ).join(":");

export function parseInterfaces(view: DataView): InterfaceRow[] {
  return Array.from({ length: Math.floor(view.byteLength / row.bytes) }, (_, number) => {
    const at = number * row.bytes;
    const u32 = (offset: number): number => view.getUint32(at + offset, true);
    const flags = view.getUint8(at + row.flags);
    let alias = "";
    for (let unit = 0; unit < row.aliasUnits; unit++) {
      const code = view.getUint16(at + row.alias + 2 * unit, true);
      if (code === 0) break;
      alias += String.fromCharCode(code);
    }
    return {
      index: u32(row.index),
      alias,
      mac: u32(row.macBytes) === 6 ? macOf(view, at + row.mac, 6) : "",
      mtu: u32(row.mtu),
      type: u32(row.type),
      physicalMedium: u32(row.physicalMedium),
      isHardware: (flags & (hardwareFlag | connectorFlag)) !== 0,
      isFilter: (flags & filterFlag) !== 0,
      isUp: u32(row.operationalStatus) === statusUp && u32(row.mediaState) !== mediaDisconnected,
    };
  });
}

type DefaultRoute = { readonly interfaceIndex: number; readonly gateway: string };

const addressOf = (view: DataView, at: number): string =>
  Array.from({ length: 4 }, (_, index) => view.getUint8(at + index)).join(".");

/** MIB_IPFORWARDROW type of a route whose next hop is a gateway. */
const indirectRoute = 4;

/** Returns the routes of a MIB_IPFORWARDTABLE that name a gateway. */
export function parseRoutes(view: DataView): (DefaultRoute & Route)[] {
  return Array.from({ length: view.getUint32(0, true) }, (_, number) => 4 + number * 56)
    .filter((at) => view.getUint32(at + 20, true) === indirectRoute)
    .map((at) => ({
      interfaceIndex: view.getUint32(at + 16, true),
      gateway: addressOf(view, at + 12),
      isDefault: view.getUint32(at, true) === 0 && view.getUint32(at + 4, true) === 0,
      metric: view.getUint32(at + 36, true),
    }))
    .filter(({ gateway }) => gateway !== "0.0.0.0");
}

type Neighbour = { readonly interfaceIndex: number; readonly address: string; readonly mac: string };
/** MIB_IPNETROW types: 1 other, 2 invalid, 3 dynamic, 4 static. */
const invalidNeighbour = 2;

/** Returns the neighbours of a MIB_IPNETTABLE whose MAC is known. */
export function parseNeighbours(view: DataView): Neighbour[] {
  return Array.from({ length: view.getUint32(0, true) }, (_, number) => 4 + number * 24)
    .filter((at) => view.getUint32(at + 4, true) === 6 && view.getUint32(at + 20, true) !== invalidNeighbour)
    .map((at) => ({
      interfaceIndex: view.getUint32(at, true),
      address: addressOf(view, at + 16),
      mac: macOf(view, at + 8, 6),
    }))
    .filter(({ mac }) => mac !== "00:00:00:00:00:00");
}

/** ARPHRD types of platform.ts. */
const ethernet = 1;
const noLinkLayer = 65_534;
const ethernetTypes = new Set([6, 62, 69, 117]);
const wirelessType = 71;
const wwanMedium = 8;
const bluetoothMedium = 10;

/**
 * Returns the interfaces by name, in the terms of platform.ts.
 *
 * An interface without hardware is one of a hypervisor, a VPN or a team. With a MAC of the hardware
 * it stands for that hardware: Hyper-V's external switch and teams take over the MAC and the
 * addresses of the card. A "vEthernet" with a gateway does, too; internal switches and the NAT of
 * the "Default Switch" are a gateway themselves.
 */
export function describeRows(
  rows: readonly InterfaceRow[],
  routes: readonly DefaultRoute[],
): Map<string, KernelInterface> {
  const hardware = rows.filter((one) => one.isHardware && !one.isFilter);
  const described = new Map<string, KernelInterface>();
  for (const one of rows) {
    if (one.isFilter || one.alias === "") continue;
    const hasGateway = routes.some(({ interfaceIndex }) => interfaceIndex === one.index);
    described.set(one.alias, {
      traits: hardware.length > 0 ? traitsOf(one, hardware, hasGateway) : null,
      link: { isUp: one.isUp, changes: 0 },
      isPart: !one.isHardware,
    });
  }
  return described;
}

function traitsOf(
  one: InterfaceRow,
  hardware: readonly InterfaceRow[],
  hasGateway: boolean,
): InterfaceTraits {
  const card = one.isHardware ? one : hardware.find(({ mac, isUp }) => mac !== "" && mac === one.mac && isUp);
  const isLan = ethernetTypes.has(one.type) || one.type === wirelessType;
  const isPersonal = one.physicalMedium === bluetoothMedium;
  const isExternal = card !== undefined || (hasGateway && one.alias.startsWith("vEthernet"));
  return {
    type: isLan && one.physicalMedium !== wwanMedium ? ethernet : noLinkLayer,
    // A bridge without hardware is virtual, with hardware the LAN (net/interfaces/medium.ts).
    kind: one.isHardware && !isPersonal ? "" : "bridge",
    isTunnel: false,
    isWireless: card?.type === wirelessType && !isPersonal,
    hasHardware: isExternal && !isPersonal,
  };
}

/** Flags of SYSTEM_POWER_STATUS. */
const noBattery = 128;
const unknownBattery = 255;

const hasBattery = (status: DataView | null): boolean => {
  const flags = status?.getUint8(1) ?? unknownBattery;
  return flags !== unknownBattery && (flags & noBattery) === 0;
};

/** POWER_PLATFORM_ROLE: the kind of machine that the firmware reports. */
const roleClasses: Readonly<Record<number, DeviceClass>> = {
  1: "desktop",
  2: "laptop",
  3: "desktop",
  4: "server",
  5: "server",
  6: "desktop",
  7: "server",
  8: "laptop",
};

/**
 * A battery alone does not make a laptop, because a desktop's UPS counts as one.
 * @param product 1 workstation, 2 and 3 server; 0 if unknown
 */
export function classOf(product: number, role: number, status: DataView | null): DeviceClass {
  if (product > 1) return "server";
  const byRole = roleClasses[role];
  if (byRole !== undefined) return byRole;
  if (hasBattery(status)) return "laptop";
  return product === 1 ? "desktop" : "unknown";
}

/** Offsets in SYSTEM_TIMEOFDAY_INFORMATION: times in units of 100 ns. */
const bootTimeAt = 0;
const bootTimeBiasAt = 32;

/**
 * Returns the time of the system's start as the clock was then. Windows adds each change of the
 * clock to both the boot time and its bias.
 * @param information SYSTEM_TIMEOFDAY_INFORMATION; null if unknown
 */
export function bootIdIn(information: DataView | null): string | null {
  if (information === null) return null;
  const startedAt = information.getBigInt64(bootTimeAt, true) - information.getBigInt64(bootTimeBiasAt, true);
  return startedAt > 0n ? startedAt.toString() : null;
}
