/** Command line of the lab, with its checks. */
import { Command, Option } from "@commander-js/extra-typings";
import type { FaultName } from "../../shared/model/fault.ts";
import { multicastKinds } from "./impairment.ts";
import { between } from "../rig/option-parsers.ts";
import { mtusOf, sitesMtu } from "./mtu.ts";
import { contents, type Content } from "./package.ts";

const scenarios = [
  "late",
  "restart",
  "kill-representative",
  "cached",
  "new-version",
  "mend",
  "mtu",
  "agent-upgrade",
] as const;
export type Scenario = (typeof scenarios)[number];

/** Word of `--scenario` → the fault that it injects; null: none. */
export const faultsOfScenarios = {
  late: "late",
  restart: "crash",
  "kill-representative": "crash",
  cached: null,
  "new-version": null,
  mend: null,
  mtu: "mtu",
  "agent-upgrade": null,
} as const satisfies Record<Scenario, FaultName | null>;

export const labCommand = new Command("bun run lab --")
  .description(
    "Builds a source, sites and devices as network namespaces (Linux, as root), runs the real programs in them, " +
      "measures what each link carried, and removes everything.",
  )
  .option("--subnets <n>", "sites, each with a router, a WAN link and a subnet", between(1, 16, true), 2)
  .option("--devices <n>", "devices per subnet", between(1, 128, true), 8)
  .option("--wan <mbit>", "rate of each site's WAN link, both ways", between(0.1, 10_000), 20)
  .option("--lan <mbit>", "rate of each device's LAN port, both ways", between(0.1, 10_000), 1_000)
  .option("--size <MB>", "size of the package that the lab makes (10^6 bytes)", between(0.001, 100_000), 48)
  .addOption(
    new Option(
      "--content <kind>",
      "what the lab makes. file: random bytes; small-files: a folder of files of 4 KiB; disk-image: a file of which 15/16 are zeros",
    )
      .choices(Object.keys(contents) as Content[])
      .default("file" as const)
      .conflicts("package"),
  )
  .option("--package <path>", "a file or folder to distribute instead")
  .option("--loss <percent>", "share of packets lost at each device, independently", between(0, 90), 0)
  .option(
    "--cut-runs",
    "the switch forwards every datagram by itself; default: runs of datagrams pass whole where no packet is lost",
  )
  .option("--delay <seconds>", "session start delay", between(0, 3_600), 5)
  .option("--lan-rate <mbit>", "the setting lanRate: pace of the multicast", between(0.1, 10_000), 200)
  .option("--tls", "the source uses TLS; default: plain HTTP, whose counts of bytes are exact")
  .option("--compiled", "build the executables and run those")
  .addOption(
    new Option("--web <server>", "who serves the package's bytes")
      .choices(["source", "nginx"])
      .default("source"),
  )
  .addOption(
    new Option(
      "--multicast <how>",
      "impairment of multicast in every subnet. off: the setting useMulticast=false; dropped: the switch drops it; pruned: IGMP snooping without a querier; udp-blocked: each device's firewall drops it; wireless: the last device is a radio; isolated: devices reach the router only, each has to download alone; mixed: each of the last four devices has another impairment",
    )
      .choices(multicastKinds)
      .default("works"),
  )
  .option("--nat", "every site is 192.168.1.0/24 behind an address translation")
  .addOption(
    new Option(
      "--scenario <name>",
      "late: a device starts at half; restart: a peer is killed at half and starts again; kill-representative: the same with the representative; cached: a second task for the same package, with a new device; new-version: the package is a folder, and a second task distributes a version with another script of 300 bytes; mend: at half, the impairments of multicast are removed; mtu: the links of the sites have the MTUs of --mtu; mixed: one link has 1400, the others 1500; falls: all fall from 1500 to 1400 at half; agent-upgrade: at half, a task replaces the agents, which are executables",
    ).choices(scenarios),
  )
  .option("--mtu <kinds>", "sites of the scenario mtu, in turn: MTUs, mixed, falls", mtusOf, [...sitesMtu])
  .option(
    "--kill-at <percent>",
    "share of the package that the representative holds when kill-representative kills it",
    between(1, 99),
    50,
  )
  .option("--broken", "the new agent of the scenario agent-upgrade never checks in")
  .option("--timeout <seconds>", "give up after this", between(10, 86_400), 600)
  .option("--keep", "leave everything running until Ctrl-C")
  .option("--json", "the result as JSON on standard output, all else on standard error");

export type LabOptions = ReturnType<typeof labCommand.opts>;
