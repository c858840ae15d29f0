import { describe, expect, test } from "bun:test";
import { mediumOf } from "../net/interfaces/medium.ts";
import { classOf, gatewaysIn, hardwarePorts, idleMsIn, programsIn } from "./darwin.ts";

const ports = `
Hardware Port: Ethernet
Device: en4
Ethernet Address: 0c:4d:e9:01:02:03

Hardware Port: Wi-Fi
Device: en0
Ethernet Address: 3c:22:fb:01:02:03

Hardware Port: USB 10/100/1000 LAN
Device: en7
Ethernet Address: 00:e0:4c:01:02:03

Hardware Port: iPhone USB
Device: en8
Ethernet Address: 4e:32:75:01:02:03

Hardware Port: Thunderbolt Bridge
Device: bridge0
Ethernet Address: 82:0d:a7:01:02:03

VLAN Configurations
===================
`;

const routes = `Routing tables

Internet:
Destination        Gateway            Flags               Netif Expire
default            100.129.160.1      UGScg                 en0
default            link#22            UCSIg               utun4
100.129.160/20     link#11            UCS                   en0      !
100.129.160.1      f4:1e:57:3d:a6:d6  UHLWIir               en0   1161
`;

describe("macOS", () => {
  test("has the medium of the hardware port, and of the name where there is no port", () => {
    const found = hardwarePorts(ports);
    const mediums = ["en4", "en0", "en7", "en8", "bridge0", "utun3"].map((name) => [
      name,
      mediumOf(name, false, found.get(name)?.traits ?? null),
    ]);
    expect(mediums).toEqual([
      ["en4", "wired"],
      ["en0", "wireless"],
      ["en7", "wired"],
      ["en8", "vpn"],
      ["bridge0", "virtual"],
      ["utun3", "vpn"],
    ]);
  });

  test("has the default gateways that are addresses", () => {
    expect(gatewaysIn(routes)).toEqual(new Map([["en0", new Set(["100.129.160.1"])]]));
  });

  test.each([
    [
      "Battery Power",
      "\n -InternalBattery-0 (id=4653155)\t100%; discharging; 20:00 remaining present: true",
      "Mac14,2",
      "laptop",
    ],
    [
      "AC Power",
      "\n -InternalBattery-0 (id=3997795)\t79%; AC attached; not charging present: true",
      "Mac14,2",
      "laptop",
    ],
    ["AC Power", "", "MacBookPro18,1", "laptop"],
    ["AC Power", "", "Mac14,3", "desktop"],
    ["UPS Power", "\n -Back-UPS ES 550G (id=1)\t98%; discharging; present: true", "Mac14,3", "desktop"],
  ])("drawing from %s%s, model %s, is a %s", (source, batteries, model, expected) => {
    const listing = `Now drawing from '${source}'${batteries}\n`;
    expect(classOf(listing, model)).toBe(expected as never);
  });

  test("has an unknown class if no program answers", () => {
    expect(classOf("", "")).toBe("unknown");
  });

  test("lists programs by the names that ps shows, also with spaces", () => {
    const listing = "COMM\nlaunchd\nMicrosoft Excel\nGoogle Chrome Helper (Renderer)\nlaunchd\n";
    expect(programsIn(listing)).toEqual(["launchd", "Microsoft Excel", "Google Chrome Helper (Renderer)"]);
    expect(programsIn("")).toEqual([]);
  });

  test("reads the time without input in nanoseconds", () => {
    const listing = `+-o IOHIDSystem  <class IOHIDSystem, id 0x100000545, registered, matched, active>
    {
      "HIDServiceSupport" = Yes
      "HIDIdleTime" = 61532417583
      "HIDParameters" = {"HIDIdleTime"=1}
    }
`;
    expect(idleMsIn(listing)).toBeCloseTo(61_532.4, 0);
    expect(idleMsIn("")).toBe(0);
  });
});
