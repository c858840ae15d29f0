/**
 * One vocabulary of faults for the simulator, the lab, the chaos lab and the benchmarks. Each tool
 * decides how it injects a fault, and for how long. Words on command lines that differ from a name
 * here are mapped by the tool that reads them.
 */
export const faults = {
  // Packets on the LAN
  loss: "A share of the datagrams that arrive is dropped.",
  bursts: "Everything that arrives is dropped for a short time.",
  delay: "Datagrams arrive late, each by another time.",
  duplicate: "A share of the datagrams arrives twice.",
  reorder: "A share of the datagrams arrives behind later ones.",
  corrupt: "Bits of datagrams flip.",
  mtu: "Datagrams above a size are dropped.",
  "short-link": "The link of a device carries shorter datagrams than the others.",
  "slow-port": "The switch port of a device carries less than the others.",
  "port-down": "The switch port of a device has no link for a time.",
  partition: "Two parts of a subnet do not reach each other.",
  "one-way": "One device does not reach another one, which still reaches it.",
  "second-deployment": "Another deployment distributes on the same subnet and group.",
  intruder: "A program without keys sends junk, replays and forged frames.",

  // Multicast
  "no-multicast": "The setting switches multicast off.",
  setting: "The setting switches multicast on or off while sessions run.",
  prune: "The switch takes a device out of the group: IGMP snooping without a querier.",
  "multicast-dropped": "The switch drops all multicast on the port of a device, both ways.",
  "udp-blocked": "The firewall of a device drops inbound UDP.",
  wireless: "The interface of a device is a radio.",
  isolated: "The switch lets a device reach the router only (client isolation).",

  // Devices
  crash: "The agent is killed, and may start again.",
  "torn-write": "Power fails: writes that were not synced are lost or incomplete.",
  restart: "The agent is stopped, and started again.",
  stall: "The agent does not run for a time.",
  sleep: "The device sleeps: it neither runs nor receives for a time.",
  leave: "The cable of a device is pulled for good.",
  roam: "The device moves to another subnet.",
  late: "The agent starts after the task has begun.",
  skew: "The clock of a device runs too fast or too slow.",
  jump: "The clock of a device is set forward.",
  snapshot: "A virtual machine continues from a snapshot: its sequences go back, its wall clock jumps.",
  "new-keys": "A device was removed, or an epoch is over: the keys of the task and its package change.",
  "command-crash": "The agent is killed while the command of its task runs.",
  "disk-full": "The disk of a device is full for a time.",
  "disk-slow": "Each write of a device takes up to a second.",
  "all-present": "The multicast starts as soon as every running device of the subnet takes part.",
  "shared-manifest": "Devices get the manifest from each other, instead of each from the source.",
  "little-memory": "Receivers have memory for two partial chunks: the others are spilled to the disk.",
  "bit-flip": "A bit of a stored chunk flips.",
  "file-change": "Another program empties, removes or changes a file of an incomplete package.",
  "bad-peer": "A device serves wrong bytes.",
  guard: "A device is on battery, on a metered network or short of space for a time.",
  "mixed-ranks": "Devices differ in class, medium and weight, also weight 0.",

  // Source and web site
  "source-down": "The source does not answer.",
  "source-slow": "The source takes seconds to answer.",
  "source-errors": "The source answers with errors.",
  "source-clock": "The clock of the source is set.",
  "source-restart": "The source is killed, and started again.",
  "idle-holder": "A device that is not on the LAN asks for the lease of a subnet, and serves nobody.",
  "line-cut": "The WAN line of a subnet is down for a time.",
  "web-down": "The web site does not answer.",
  "web-slow": "The web site sends at a fraction of its rate.",
  "web-errors": "The web site answers with errors.",
  "web-wrong": "The web site, or a proxy in between, delivers wrong bytes.",
  "web-silent": "The web site accepts connections and sends nothing.",
  "no-ranges": "The web site ignores ranges and sends whole files.",
  "wan-pause": "The setting pauses downloads for a time.",
  "web-restart": "The web site is stopped, and started again.",
} as const;

export type FaultName = keyof typeof faults;
