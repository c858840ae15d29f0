/** Screen of a machine that was started for an image. */
import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { approvalCodeDigits, approvalCodeText } from "../model/approval-code-text.ts";
import { approvalCode } from "../model/approval-code.ts";
import { reason } from "../model/reason.ts";
import { codeLines, ImagingScreen, screenLines } from "./imaging-screen.ts";
import { largeText } from "./large-text.ts";
import type { AgentStatus } from "./status/status-server.ts";

type TaskPart = AgentStatus["tasks"][number];
const task = (changes: Partial<TaskPart> = {}): TaskPart =>
  ({
    taskId: 7,
    package: "desktop 1",
    setting: null,
    state: "receiving",
    role: "peer",
    way: "multicast",
    bytesTotal: 300e6,
    bytesVerified: 129e6,
    rateBps: 48e6,
    reasons: [],
    wrongFrom: [],
    ...changes,
  }) as unknown as TaskPart;
const status = (changes: Partial<AgentStatus> = {}): AgentStatus =>
  ({
    source: "https://source.example:7443",
    lostContact: null,
    approval: "active",
    multicastProblem: "",
    tasks: [],
    ...changes,
  }) as unknown as AgentStatus;
const textsOf = (of: AgentStatus): string[] => screenLines(of).map(({ text }) => text);

test("the screen says what the machine waits for, and why the source is not reached", () => {
  expect(textsOf(status({ approval: null }))).toEqual(["connects to https://source.example:7443"]);
  expect(textsOf(status())[1]).toBe("waits for a task that writes an image");
  expect(textsOf(status({ approval: "waiting" }))).toEqual([
    "waits until an administrator approves this machine",
  ]);
  const lostContact = { why: "no-route", text: "connect EHOSTUNREACH", sinceMs: 0 } as const;
  expect(textsOf(status({ lostContact }))).toEqual([
    "the source https://source.example:7443 is not reached (no-route): connect EHOSTUNREACH",
  ]);
});

test("the screen names percent, rate, way and role of an image", () => {
  expect(textsOf(status({ tasks: [task()] }))[1]).toBe(
    "task 7 (desktop 1): receiving, peer, 43 % of 300 MB by multicast, 48mbit",
  );
});

test.each([
  [
    reason("disk-too-small", { disk: "/dev/vda 40 MB", neededBytes: 64e6 }),
    "the disk /dev/vda 40 MB is too small: the image has 64 MB",
  ],
  [reason("no-disk", { wanted: "model WD*", found: "/dev/vda" }), "no disk of this machine is model WD*"],
  [reason("disk-holds-data", { disk: "/dev/vda", found: "a partition table" }), "--overwrite"],
  [reason("other-task-only", { taskId: 9 }), "the machine was started for task 9 only"],
])("the screen says in words why the image is not written: %o", (why, words) => {
  const failed = task({ state: "failed", role: "none", way: "none", rateBps: 0, reasons: [why] });
  const [, line] = textsOf(status({ tasks: [failed] }));
  expect(line).toStartWith("task 7 (desktop 1): failed, 43 % of 300 MB; ");
  expect(line).toContain(words);
});

test("progress is printed every five seconds, and a new state at once", () => {
  const lines: string[] = [];
  let current = status({ tasks: [task()] });
  const screen = new ImagingScreen(
    () => current,
    null,
    (more) => lines.push(...more),
  );
  const at = (nowMs: number, changes: Partial<TaskPart>): string[] => {
    current = status({ tasks: [task(changes)] });
    lines.length = 0;
    screen.look(nowMs);
    return lines.map((one) => one.replace(/^.*desktop 1\): /, ""));
  };
  expect(at(1e6, {})).toHaveLength(2);
  expect(at(1e6 + 1_000, { bytesVerified: 150e6 })).toEqual([]);
  expect(at(1e6 + 5_000, { bytesVerified: 180e6 })).toEqual([
    "receiving, peer, 60 % of 300 MB by multicast, 48mbit",
  ]);
  expect(at(1e6 + 6_000, { bytesVerified: 180e6, state: "verifying" })).toHaveLength(1);
  expect(at(1e6 + 30_000, { bytesVerified: 180e6, state: "verifying" })).toEqual([]);
  screen.close();
});

test("a machine that waits shows its code once, in large digits and as a command", () => {
  const code = approvalCodeText(approvalCode(createHash("sha256").update("credential").digest("hex")));
  const text = codeLines("credential").join("\n");
  expect(text).toContain(`device approve ${code}`);
  expect(text).toContain(largeText(code).join("\n"));
  const lines: string[] = [];
  const screen = new ImagingScreen(
    () => status({ approval: "waiting" }),
    "credential",
    (more) => lines.push(...more),
  );
  screen.look(1);
  screen.look(2);
  screen.close();
  expect(lines.filter((one) => one.includes("device approve"))).toHaveLength(1);
});

test("every digit of a code has a large shape of its own, within 80 columns", () => {
  const shapes = [...approvalCodeDigits].map((one) => largeText(one).join("\n"));
  expect(new Set(shapes).size).toBe(approvalCodeDigits.length);
  for (const one of approvalCodeDigits)
    for (const line of largeText(`${one.repeat(4)}-${one.repeat(4)}`)) expect(line.length).toBeLessThan(80);
});
