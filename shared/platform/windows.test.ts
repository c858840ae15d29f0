import { describe, expect, test } from "bun:test";
import type { Medium } from "../model/interface.ts";
import { commandLineCharactersMax } from "../model/package-command.ts";
import { mediumOf } from "../net/interfaces/medium.ts";
import { recordedLine } from "./windows-command.ts";
import {
  bootIdIn,
  classOf,
  describeRows,
  parseInterfaces,
  parseNeighbours,
  parseRoutes,
} from "./windows-tables.ts";

const powerShell = "powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass";
const commands: [command: string, text: string][] = [
  ["install.cmd", "install.cmd"],
  ['setup.bat && echo %OS% | find "x"', 'setup.bat && echo %OS% | find "x"'],
  ["install.ps1 -Mode quiet", `${powerShell} -File install.ps1 -Mode quiet`],
  [' "my setup.PS1" -To "C:\\Program Files"', `${powerShell} -File "my setup.PS1" -To "C:\\Program Files"`],
  ["copy a.ps1x b", "copy a.ps1x b"],
  ["copy a.ps1 b", "copy a.ps1 b"],
];

describe("a command line", () => {
  test.each(commands)("%s is given to cmd.exe as it is, a script of PowerShell to that", (command, text) => {
    const recorded = recordedLine(command, null);
    expect(recorded.text).toBe(text);
    // Nothing of the command is part of the line that the first cmd.exe reads.
    expect(recorded.words).toBe(recordedLine("another", null).words);
    expect(recorded.words).toContain('/d /s /c "!FLOCKCAST_COMMAND!"');
  });

  test("of PowerShell is read from a variable, and ends with the status of its script", () => {
    const { words, text } = recordedLine('./install.ps1 -To "C:\\a b"', "powershell");
    expect(words).toContain(`${powerShell} -Command Invoke-Expression $env:FLOCKCAST_COMMAND`);
    const [, line, ...rest] = text.split("\n");
    expect(line).toBe('./install.ps1 -To "C:\\a b"');
    expect(rest.join("\n")).toContain("exit $LASTEXITCODE");
    // A variable has up to 32,767 characters.
    expect(recordedLine("x".repeat(commandLineCharactersMax), "powershell").text.length).toBeLessThan(32_767);
  });
});

type Given = {
  alias: string;
  type?: number;
  medium?: number;
  /** 1 hardware, 2 filter, 4 connector. */
  flags?: number;
  mac?: string;
  status?: number;
  media?: number;
};

/** Rows of GetIfTable2; the layout was compared with a table of Wine 8. */
function tableOf(given: readonly Given[]): DataView {
  const view = new DataView(new ArrayBuffer(given.length * 1_352));
  for (const [number, one] of given.entries()) {
    const at = number * 1_352;
    view.setUint32(at + 8, number + 1, true);
    for (const [unit, code] of [...one.alias].entries())
      view.setUint16(at + 28 + 2 * unit, code.charCodeAt(0), true);
    const mac = one.mac === undefined ? [] : one.mac.split(":").map((octet) => Number.parseInt(octet, 16));
    view.setUint32(at + 1_056, mac.length, true);
    for (const [index, octet] of mac.entries()) view.setUint8(at + 1_060 + index, octet);
    view.setUint32(at + 1_128, one.type ?? 6, true);
    view.setUint32(at + 1_140, one.medium ?? 14, true);
    view.setUint8(at + 1_152, one.flags ?? 0);
    view.setUint32(at + 1_156, one.status ?? 1, true);
    view.setUint32(at + 1_164, one.media ?? 1, true);
  }
  return view;
}

const card = "b4:2e:99:0a:0b:0c";
const radio = "3c:58:c2:01:02:03";

const mediumsOf = (given: readonly Given[], gateways: readonly string[]): [string, Medium][] => {
  const rows = parseInterfaces(tableOf(given));
  const routes = rows
    .filter(({ alias }) => gateways.includes(alias))
    .map(({ index }) => ({ interfaceIndex: index, gateway: "192.168.1.1" }));
  return [...describeRows(rows, routes)].map(([name, { traits }]) => [name, mediumOf(name, false, traits)]);
};

describe("interfaces", () => {
  test("have the medium of their type and flags, in any language", () => {
    const given: Given[] = [
      { alias: "以太网", flags: 5, mac: card },
      { alias: "无线网络连接", type: 71, medium: 9, flags: 5, mac: radio },
      { alias: "Sieć bezprzewodowa", type: 71, medium: 9, flags: 5, mac: "3c:58:c2:01:02:09" },
      { alias: "Подключение 3", type: 53 },
      { alias: "Mobile Breitbandverbindung", type: 243, medium: 8, flags: 5 },
      { alias: "Bluetooth-verbinding", medium: 10, flags: 5, mac: "3c:58:c2:01:02:04" },
      { alias: "Ethernet 3", mac: "00:ff:11:22:33:44" },
      { alias: "LAN-Verbindung* 9", type: 71, medium: 9, mac: "3e:58:c2:01:02:03" },
    ];
    expect(mediumsOf(given, [])).toEqual([
      ["以太网", "wired"],
      ["无线网络连接", "wireless"],
      ["Sieć bezprzewodowa", "wireless"],
      ["Подключение 3", "vpn"],
      ["Mobile Breitbandverbindung", "vpn"],
      ["Bluetooth-verbinding", "virtual"],
      ["Ethernet 3", "virtual"],
      ["LAN-Verbindung* 9", "virtual"],
    ]);
  });

  test("of Hyper-V are the LAN if they stand for a card, or lead to a gateway", () => {
    const given: Given[] = [
      { alias: "Ethernet", flags: 5, mac: card },
      { alias: "WLAN", type: 71, medium: 9, flags: 5, mac: radio },
      { alias: "vEthernet (Extern)", mac: card },
      { alias: "vEthernet (Radio)", mac: radio },
      { alias: "vEthernet (Eigene MAC)", mac: "00:15:5d:01:02:03" },
      { alias: "vEthernet (Default Switch)", mac: "00:15:5d:01:02:04" },
      { alias: "Team 1", mac: card },
    ];
    expect(mediumsOf(given, ["vEthernet (Eigene MAC)"])).toEqual([
      ["Ethernet", "wired"],
      ["WLAN", "wireless"],
      ["vEthernet (Extern)", "wired"],
      ["vEthernet (Radio)", "wireless"],
      ["vEthernet (Eigene MAC)", "wired"],
      ["vEthernet (Default Switch)", "virtual"],
      ["Team 1", "wired"],
    ]);
  });

  test("are named by their words if no interface of the system counts as hardware", () => {
    expect(mediumsOf([{ alias: "Ethernet 2" }, { alias: "vEthernet (WSL)" }], [])).toEqual([
      ["Ethernet 2", "wired"],
      ["vEthernet (WSL)", "virtual"],
    ]);
  });

  test("have no link if down or disconnected, and packet filters are left out", () => {
    const rows = parseInterfaces(
      tableOf([
        { alias: "a", flags: 5 },
        { alias: "b", flags: 5, status: 2, media: 2 },
        { alias: "c", flags: 5, media: 2 },
        { alias: "a-WFP Native MAC Layer LightWeight Filter-0000", flags: 2 },
        { alias: "d" },
      ]),
    );
    const described = [...describeRows(rows, [])].map(([name, { link, isPart }]) => [
      name,
      link.isUp,
      isPart,
    ]);
    expect(described).toEqual([
      ["a", true, false],
      ["b", false, false],
      ["c", false, false],
      ["d", true, true],
    ]);
  });
});

const viewOf = (hex: string): DataView => new DataView(Uint8Array.from(Buffer.from(hex, "hex")).buffer);

describe("tables of Wine 8", () => {
  // The default route by 192.0.2.1 over interface 4, and the route of the subnet.
  const routes =
    "02000000" +
    "000000000000000000000000c0000201040000000400000003000000".padEnd(112, "0") +
    "c0000200ffffff0000000000c0000202040000000300000002000000".padEnd(112, "0");
  // The router, and a group without a MAC on the loopback interface.
  const neighbours =
    "02000000" +
    "040000000600000002fc000000050000c000020103000000" +
    "01000000000000000000000000000000e000001604000000";

  test("give the gateway and its MAC", () => {
    expect(parseRoutes(viewOf(routes))).toEqual([
      { interfaceIndex: 4, gateway: "192.0.2.1", isDefault: true, metric: 0 },
    ]);
    expect(parseNeighbours(viewOf(neighbours))).toEqual([
      { interfaceIndex: 4, address: "192.0.2.1", mac: "02:fc:00:00:00:05" },
    ]);
  });

  test("give no gateway for a VPN whose route leads to the interface", () => {
    const view = viewOf(`01000000${"00".repeat(16)}09000000${"00".repeat(36)}`);
    expect(parseRoutes(view)).toEqual([]);
  });
});

/** SYSTEM_POWER_STATUS: line, battery flags, percent, saver, and two unknown times. */
const power = (line: number, battery: number): DataView =>
  viewOf(`${hex(line)}${hex(battery)}ff00${"ff".repeat(8)}`);
const hex = (octet: number): string => octet.toString(16).padStart(2, "0");

describe("the class", () => {
  test.each([
    ["of a server is that of its product", 3, 1, power(1, 128), "server"],
    ["of a laptop is that of its firmware", 1, 2, power(0, 1), "laptop"],
    ["of a tablet is a laptop's", 1, 8, power(1, 8), "laptop"],
    ["of a desktop with a UPS is a desktop", 1, 1, power(1, 8), "desktop"],
    ["of a machine with a battery and without a role is laptop", 1, 0, power(1, 8), "laptop"],
    ["of a machine without either is desktop", 1, 0, power(1, 128), "desktop"],
    ["is unknown if nothing can be asked", 0, 0, null, "unknown"],
  ] as const)("%s", (_what, product, role, status, expected) => {
    expect(classOf(product, role, status)).toBe(expected);
  });
});

/** SYSTEM_TIMEOFDAY_INFORMATION of Wine 8, as after the clock was set forward by the hours. */
function timeOfDay(hours: number): DataView {
  const view = viewOf(`c62cde00e280dd014d132901e280dd01${"00".repeat(32)}`);
  const change = BigInt(hours) * 36_000_000_000n;
  view.setBigInt64(0, view.getBigInt64(0, true) + change, true);
  view.setBigInt64(32, change, true);
  return view;
}

describe("the boot", () => {
  test("is the start of the system, also after the clock was set forward or back", () => {
    expect([0, 1, -1].map((hours) => bootIdIn(timeOfDay(hours)))).toEqual(
      Array(3).fill("134405272056507590"),
    );
  });

  test("is unknown if Windows tells nothing", () => {
    expect([bootIdIn(null), bootIdIn(new DataView(new ArrayBuffer(48)))]).toEqual([null, null]);
  });
});
