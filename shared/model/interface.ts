/** A network interface of a device: what kind of network it leads to, and what its roles depend on. */

export const mediums = ["loopback", "wired", "wireless", "vpn", "virtual", "unknown"] as const;
export type Medium = (typeof mediums)[number];

/** One interface as the inventory describes it to the source. */
export type DeviceInterface = {
  name: string;
  address: string;
  cidr: string;
  mac: string;
  medium: Medium;
  gatewayMac: string | null;
  /** "ADDRESS:PORT" when a multicast group was given by hand. */
  group: string;
  /** The interface this agent plays its roles on. */
  active: boolean;
};

export type NetInterface = {
  readonly name: string;
  /** IPv4; empty when it has none. */
  readonly address: string;
  /** "10.0.0.0/24"; empty without an address. */
  readonly cidr: string;
  readonly mac: string;
  readonly medium: Medium;
  readonly hasLink: boolean;
  /** How often its link came or went, where the system counts that. */
  readonly linkChanges: number;
  /** A default route leaves through it. */
  readonly hasGateway: boolean;
};
