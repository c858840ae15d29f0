import { describe, expect, test } from "bun:test";
import type { TaskDetail, TaskSubnet } from "../../api/schema/admin.ts";
import { printable } from "../../printable.ts";
import { barLines, outcomeOf, PlainLines, RateWindow } from "./watch-view.ts";

const subnet = (more: Partial<TaskSubnet> = {}): TaskSubnet => ({
  subnetId: "0123456789abcdef",
  cidr: "10.0.0.0/24",
  name: null,
  site: null,
  representative: { deviceId: "00112233aabbccdd", hostname: "desk-3", term: 1 },
  state: "receiving",
  devices: 4,
  complete: 0,
  rebootPending: 0,
  failed: 0,
  superseded: 0,
  expired: 0,
  offline: 0,
  bytesVerified: 0,
  bytesTotal: 4_000_000,
  rateBps: 0,
  wanBytes: 0,
  lanBytes: 0,
  ...more,
});
const task = (subnets: TaskSubnet[], more: Partial<TaskDetail> = {}): TaskDetail => ({
  id: 7,
  packageId: "0".repeat(64),
  packageName: "tool",
  packageVersion: "1",
  packageBytes: 1_000_000,
  action: "pre-cache",
  command: null,
  run: null,
  setting: "default",
  target: "all",
  version: 1,
  allowDowngrade: false,
  after: null,
  image: null,
  state: "running",
  endedWhy: null,
  endedAtMs: null,
  createdAtMs: 0,
  startAtMs: 0,
  startIsLocal: false,
  deadlineAtMs: null,
  notWhile: [],
  wakes: false,
  expiresAtMs: 1,
  devices: {
    total: subnets.reduce((sum, one) => sum + one.devices, 0),
    complete: subnets.reduce((sum, one) => sum + one.complete, 0),
    rebootPending: subnets.reduce((sum, one) => sum + one.rebootPending, 0),
    failed: subnets.reduce((sum, one) => sum + one.failed, 0),
    superseded: 0,
    expired: 0,
    offline: 0,
    absent: 0,
  },
  absentSinceMs: null,
  isSigned: true,
  countedAtMs: null,
  nextSubnets: null,
  nextDevices: null,
  subnets,
  deviceList: [],
  absentList: [],
  ...more,
});

describe("task watch", () => {
  test("shows state, representative, share, rate and time left in a bar", () => {
    const rates = new RateWindow();
    rates.add([subnet()], 0);
    const now = subnet({ bytesVerified: 2_000_000 });
    const [line] = barLines(task([now]), rates.add([now], 2_000), 200, 24);
    expect(line).toBe(
      "10.0.0.0/24 ████████████░░░░░░░░░░░░  50 %  receiving, 0 of 4 complete, 8mbit, 2s left, representative desk-3",
    );
  });

  test("keeps the bars within the terminal, with the state in the first 80 columns", () => {
    const many = task(Array.from({ length: 30 }, (_, at) => subnet({ cidr: `10.0.${at}.0/24` })));
    const lines = barLines(many, new Map(), 80, 24);
    expect(lines).toHaveLength(23);
    expect(lines[0]).toContain("receiving, 0 of 4 complete");
    expect(lines[22]).toBe("and 8 more subnets: task show 7");
    for (const line of lines) expect(line.length).toBeLessThan(80);
  });

  test("keeps a bar within the terminal when a name has control characters", () => {
    const hostname = `pc${"\u001b]52;c;x\u0007".repeat(40)}`;
    const representative = { deviceId: "00112233aabbccdd", hostname, term: 1 };
    const lines = barLines(task([subnet({ representative, name: "a\u202eb" })]), new Map(), 120, 20);
    expect(lines[0]).toStartWith("a\\u202eb ");
    expect(lines.map((line) => line.length <= 119 && printable(line) === line)).toEqual([true]);
  });

  test("prints a plain line only after a change", () => {
    const plain = new PlainLines();
    const none = new Map<string, number>();
    expect(plain.next(task([subnet()]), none)).toHaveLength(1);
    expect(plain.next(task([subnet({ bytesVerified: 4_000 })]), none)).toEqual([]);
    expect(plain.next(task([subnet({ bytesVerified: 1_000_000 })]), none)).toEqual([
      "task 7 subnet 10.0.0.0/24 0123456789abcdef: 25 %, receiving, 0 of 4 complete, representative desk-3",
    ]);
    expect(plain.next(task([subnet({ bytesVerified: 1_000_000, failed: 1 })]), none)).toHaveLength(1);
  });

  test("is over when every device is complete or failed, never without devices", () => {
    expect(outcomeOf(task([]))).toBe("going-on");
    expect(outcomeOf(task([subnet({ complete: 3 })]))).toBe("going-on");
    expect(outcomeOf(task([subnet({ complete: 4 })]))).toBe("complete");
    expect(outcomeOf(task([subnet({ complete: 3, rebootPending: 1 })]))).toBe("complete");
    expect(outcomeOf(task([subnet({ complete: 2, rebootPending: 1, failed: 1 })]))).toBe("failed");
    expect(outcomeOf(task([subnet({ complete: 3, failed: 1 })]))).toBe("failed");
    expect(outcomeOf(task([subnet()], { state: "cancelled" }))).toBe("cancelled");
  });
});
