import { describe, expect, test } from "bun:test";
import { unknownConditions } from "../../model/conditions.ts";
import { reason } from "../../model/reason.ts";
import type { AgentStatus } from "./status-server.ts";
import { runningLines } from "./status-text.ts";

const status: AgentStatus = {
  version: "0.1.0",
  pid: 812,
  deviceId: "81011891b92c064b",
  hostname: "pc-17",
  source: "https://source.example:7443",
  connected: true,
  lostContact: null,
  trust: {
    version: 3,
    root: "ab".repeat(32),
    embedded: false,
    freshUntilMs: Date.parse("2026-12-24T00:00:00Z"),
    isStale: false,
    refused: [],
  },
  approval: "active",
  subnetId: "2af47f2de4a483f9",
  setting: { name: "default", version: 7, parents: [] },
  interface: { name: "eth0", address: "10.0.0.17", medium: "wired" },
  interfaceWhy: "",
  conditions: null,
  group: "239.255.70.67:7067",
  multicastProblem: "",
  receiveBufferBytes: 4_194_304,
  lan: {
    framesHeard: 71_764,
    framesSent: 5,
    receiveCalls: 2_000,
    messagesReceived: 2_100,
    kernelDrops: 0,
    dropped: { own: 3 },
  },
  exchange: { port: 40_000, portProblem: "", chunksSent: 0, bytesSent: 0 },
  wakes: { sent: 0, leftOut: 0, refused: null, lastAtMs: null, lastMacs: [] },
  tasks: [],
};
const task = (changes: Partial<AgentStatus["tasks"][number]>): AgentStatus["tasks"][number] => ({
  package: "editor 4.2",
  setting: null,
  taskId: 1,
  state: "complete",
  role: "none",
  term: 1,
  bytesTotal: 104_000_000,
  bytesVerified: 104_000_000,
  from: { wan: 0, multicast: 0, peers: 0, cache: 0 },
  wanBytesFetched: 0,
  lanBytesSent: 0,
  rateBps: 0,
  way: "none",
  reasons: [],
  command: null,
  follows: null,
  wrongFrom: [],
  receivedFrom: [],
  attempt: 1,
  epoch: "",
  createdAtMs: 0,
  ...changes,
});

const lines = (changes: Partial<AgentStatus>): string[] => runningLines({ ...status, ...changes });

const lineOf = (changes: Parameters<typeof task>[0]): string => lines({ tasks: [task(changes)] }).at(-1)!;

/** Returns the lines on subnet and multicast. */
const on = (changes: Partial<AgentStatus>): string[] => lines(changes).slice(4, 6);

describe("status", () => {
  test("names the device's own setting with its parents, and the setting of a task that overrides it", () => {
    const parents = [{ name: "default", version: 7 }];
    expect(lines({})).toContain("setting default version 7");
    expect(lines({ setting: { name: "kiosk", version: 2, parents } })).toContain(
      "setting kiosk version 2, inherits from default version 7",
    );
    expect(lines({ setting: null })).toContain("setting not known yet, uses the built-in values");
    const overridden = task({ setting: { name: "fast", version: 3, parents } });
    expect(lines({ tasks: [overridden] }).at(-1)).toStartWith(
      "task 1 (editor 4.2, setting fast version 3): complete",
    );
  });

  test("has no share of an ended task whose bytes are not known after a restart", () => {
    expect(lineOf({ bytesTotal: 0, bytesVerified: 0 })).toBe("task 1 (editor 4.2): complete");
    expect(lineOf({ role: "representative", state: "receiving", bytesVerified: 52_000_000 })).toBe(
      "task 1 (editor 4.2): receiving, representative, 50 % of 104 MB",
    );
  });

  test("names the port of the LAN exchange, and why it is another one", () => {
    const exchange = { port: 40_000, portProblem: "", chunksSent: 2, bytesSent: 2_000_000 };
    expect(runningLines({ ...status, exchange })).toContain("LAN exchange: TCP port 40000, 2 MB sent");
    const portProblem = "TCP port 7067 cannot be used: another program uses it";
    expect(runningLines({ ...status, exchange: { ...exchange, portProblem } })).toContain(
      `LAN exchange: TCP port 40000, 2 MB sent; ${portProblem}`,
    );
  });

  test("lists the conditions that the system tells, and none that it does not", () => {
    const nothing = { ...unknownConditions, isWireless: true };
    expect(lines({ conditions: nothing }).join("\n")).not.toContain("conditions");
    const battery = { ...unknownConditions, onBattery: true, batteryPercent: 41, savesPower: true };
    expect(lines({ conditions: battery })).toContain("conditions: on battery at 41 %, saves power");
    const desktop = { ...unknownConditions, onBattery: false, isMetered: true, userIdleMs: 61_500 };
    const shares = { cpuPercent: 26.4, ioPercent: 0, memoryFreePercent: 96.5, diskFreePercent: 28 };
    expect(lines({ conditions: { ...desktop, ...shares } })).toContain(
      "conditions: on mains, metered network, last input 61s ago, processors busy 26 %, disks busy 0 %, " +
        "free memory 97 %, free disk 28 %",
    );
  });

  test("names the machines that were woken, and why others were left out", () => {
    expect(runningLines(status).join("\n")).not.toContain("Wake-on-LAN");
    const lastMacs = ["02:00:00:00:00:01", "02:00:00:00:00:02"];
    const wakes = { sent: 2, leftOut: 0, refused: null, lastAtMs: 0, lastMacs };
    expect(runningLines({ ...status, wakes })).toContain(
      "Wake-on-LAN: 2 machines woken, last 1970-01-01T00:00:00.000Z: 02:00:00:00:00:01, 02:00:00:00:00:02",
    );
    const refusing = { sent: 0, leftOut: 3, refused: "setting" as const, lastAtMs: null, lastMacs: [] };
    expect(runningLines({ ...status, wakes: refusing })).toContain(
      "Wake-on-LAN: 0 machines woken; left out 3: the setting is wakeOnLan=never",
    );
  });

  test("names the interface and its medium, and why it is not the best one or missing", () => {
    const subnet = "subnet 2af47f2de4a483f9";
    const group = "group 239.255.70.67:7067";
    expect(on({})[0]).toBe(`${subnet} on 10.0.0.17 (wired eth0), ${group}`);
    const radio = { name: "wlan0", address: "10.2.0.9", medium: "wireless" };
    expect(on({ interface: radio, interfaceWhy: "wired eth0 has no link" })[0]).toBe(
      `${subnet} on 10.2.0.9 (wireless wlan0), ${group}; wired eth0 has no link`,
    );
    expect(on({ interface: null, interfaceWhy: "nothing is shared over vpn tun0" })).toEqual([
      "no subnet, works without multicast: nothing is shared over vpn tun0",
      "no tasks",
    ]);
  });

  test.each([
    [0, "receive buffer 4 MiB, no drops"],
    [17, "receive buffer 4 MiB, 17 dropped because it was full"],
    [null, "receive buffer 4 MiB, drops not reported by this system"],
  ])("reports the kernel's drops: %p", (kernelDrops, text) => {
    expect(lines({ lan: { ...status.lan, kernelDrops } })[5]).toBe(
      `multicast: 71764 frames received (35.9 a call), 5 sent, ${text}`,
    );
  });

  test("states what is missing until an approval, and nothing for an approved device", () => {
    expect(lines({ approval: "waiting" })[2]).toContain("WAITING FOR APPROVAL: the device gets no task");
    expect(lines({ approval: "suspended" })[2]).toContain(`device approve ${status.deviceId}`);
    expect(lines({ approval: null })).toEqual(lines({}));
  });

  test("names the origins of a complete task's bytes, and the end of a paused download", () => {
    const complete = task({
      reasons: [
        reason("complete", { multicast: 61, peers: 39, wan: 0, cache: 0, totalBytes: 100 }),
        reason("joined-late", { share: 0.39 }),
      ],
    });
    const paused = task({
      state: "downloading",
      role: "representative",
      bytesVerified: 52_000_000,
      reasons: [
        reason("represents", { term: 1 }),
        reason("multicast-stands", { percent: 50 }),
        reason("download-note", { detail: "paused by the setting until 18:00" }),
      ],
    });
    expect(lines({ tasks: [complete, paused] }).slice(-2)).toEqual([
      "task 1 (editor 4.2): complete, 100 % of 104 MB; 61 % multicast, 39 % from peers (joined late, 39 % had been multicast)",
      "task 1 (editor 4.2): downloading, representative, 50 % of 104 MB; representative of term 1: multicast stands at 50 %, as no device of this subnet is missing chunks; download paused by the setting until 18:00",
    ]);
  });
});
