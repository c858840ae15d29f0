/**
 * Network interfaces of a device: the record sent to the source and the record used on the device.
 *
 * Types only. net/interfaces/list.ts reads the interfaces from the operating system, and
 * net/interfaces/choice.ts chooses the active one.
 */

export const mediums = ["loopback", "wired", "wireless", "vpn", "virtual", "unknown"] as const;
export type Medium = (typeof mediums)[number];

/** Interface as the inventory sends it to the source. */
export type DeviceInterface = {
  name: string;
  address: string;
  cidr: string;
  mac: string;
  medium: Medium;
  gatewayMac: string | null;
  /** "ADDRESS:PORT" of a multicast group set on the command line; empty otherwise. */
  group: string;
  /** True for the one interface on which the agent sends and receives. */
  active: boolean;
};

/** Interface as the operating system describes it. */
export type NetInterface = {
  readonly name: string;
  /** IPv4 address; empty when the interface has none. */
  readonly address: string;
  /** Network of the address ("10.0.0.0/24"); empty without an address. */
  readonly cidr: string;
  readonly mac: string;
  readonly medium: Medium;
  readonly hasLink: boolean;
  /** Number of times the link came up or went down, on systems that count it. */
  readonly linkChanges: number;
  /** True when a default route leaves through this interface. */
  readonly hasGateway: boolean;
};
