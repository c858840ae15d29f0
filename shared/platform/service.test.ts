/** Texts that service managers read and print, with outputs of real ones. */
import { expect, test } from "bun:test";
import { launchdPlist } from "./launchd-plist.ts";
import { statusIn as launchdStatus } from "./launchd.ts";
import { quoteWord, systemdUnit } from "./systemd-unit.ts";
import { statusIn as systemdStatus } from "./systemd.ts";
import { quoteArgument, statusIn as windowsStatus } from "./windows-service.ts";

test.each([
  ["/opt/a b/agent", '"/opt/a b/agent"'],
  ["50%", "50%%"],
  ["$HOME", "$$HOME"],
  ['say "x\\y"', String.raw`"say \"x\\y\""`],
  ["https://[fd00::1]:7443", '"https://[fd00::1]:7443"'],
])("quotes %p for systemd", (word, quoted) => expect(quoteWord(word)).toBe(quoted));

test.each([
  [String.raw`C:\Program Files\a.exe`, String.raw`"C:\Program Files\a.exe"`],
  [String.raw`C:\my data` + "\\", String.raw`"C:\my data\\"`],
  ['a "b"', String.raw`"a \"b\""`],
  [String.raw`a \"b`, String.raw`"a \\\"b"`],
  ["", '""'],
  ["--data", "--data"],
])("quotes %p for Windows", (word, quoted) => expect(quoteArgument(word)).toBe(quoted));

test.each([
  ["LoadState=loaded\nActiveState=active\nMainPID=12\nUnitFileState=enabled\n", "running", true, 12],
  ["LoadState=loaded\nActiveState=failed\nMainPID=0\nUnitFileState=disabled\n", "failed", false, null],
  ["LoadState=not-found\nActiveState=inactive\nMainPID=0\nUnitFileState=\n", "not-installed", false, null],
] as const)("reads the status of systemd: %p", (output, state, startsAtBoot, pid) =>
  expect(systemdStatus(output)).toEqual({ state, startsAtBoot, pid }),
);

test("reads the status of launchd", () => {
  const running = "system/flockcast.peer = {\n\tactive count = 1\n\tstate = running\n\n\tpid = 431\n}\n";
  expect(launchdStatus(running)).toEqual({ state: "running", startsAtBoot: true, pid: 431 });
  const waiting = "system/flockcast.peer = {\n\tstate = spawn scheduled\n}\n";
  expect(launchdStatus(waiting)).toEqual({ state: "failed", startsAtBoot: true, pid: null });
});

test.each([
  ["a service that ended with an error", 1, 1_066, "failed"],
  ["a service that ended as asked", 1, 0, "stopped"],
  ["a service that stops", 3, 0, "stopping"],
] as const)("reads the status of Windows: %s", (_, current, exitCode, state) => {
  const view = new DataView(new ArrayBuffer(36));
  view.setUint32(4, current, true);
  view.setUint32(12, exitCode, true);
  expect(windowsStatus(view, true)).toEqual({ state, startsAtBoot: true, pid: null });
});

test("a unit makes no folder outside /var/lib, where an unprivileged program is allowed to write", () => {
  const about = {
    name: "flockcast-source",
    description: "d",
    user: "someone",
    finalStatuses: [2],
    keepsChildren: false,
    commandLine: "/bin/true",
    environmentFile: null,
  } as const;
  expect(systemdUnit({ ...about, dataFolder: "/srv/my data" })).toContain(
    '\nReadWritePaths="/srv/my data"\n',
  );
  const own = systemdUnit({ ...about, dataFolder: "/var/lib/x" });
  expect(own).toContain("\nStateDirectory=x\n");
  expect(own).not.toContain("ReadWritePaths");
});

test("a property list escapes the words of the program", () => {
  const list = launchdPlist({ name: "flockcast-peer", command: ["/a & b", "<x>"], keepsChildren: true });
  expect(list).toContain("<string>/a &amp; b</string>");
  expect(list).toContain("<string>&lt;x&gt;</string>");
  expect(list).toContain("<key>AbandonProcessGroup</key>\n  <true/>");
});
