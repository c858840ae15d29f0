import { expect, test } from "bun:test";
import { copyFileSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { temporaryFolder } from "../model/testing.ts";
import { mediumOf } from "../net/interfaces/medium.ts";
import {
  idleMsOfHint,
  localSession,
  runningPrograms,
  shortestIdleMs,
  terminalsIn,
  userIdleMs,
  type LocalSession,
} from "./linux-activity.ts";
import { kernelInterfaces } from "./linux.ts";

test("a bridge over a bond or a VLAN of a card is the LAN, one of virtual ports is not", () => {
  const { path, remove } = temporaryFolder("interfaces");
  const add = (name: string, kind: string, lower: readonly string[], files: readonly string[] = []): void => {
    const base = join(path, name);
    mkdirSync(base);
    writeFileSync(join(base, "ifindex"), "1\n");
    writeFileSync(join(base, "type"), "1\n");
    writeFileSync(join(base, "uevent"), kind && `DEVTYPE=${kind}\n`);
    for (const below of lower) symlinkSync(join("..", below), join(base, `lower_${below}`));
    for (const file of files) {
      mkdirSync(dirname(join(base, file)), { recursive: true });
      writeFileSync(join(base, file), "");
    }
  };
  try {
    add("enp1s0", "", [], ["device", "master"]);
    add("enp2s0", "", [], ["device"]);
    add("bond7", "bond", ["enp1s0"], ["master"]);
    add("vmbr0", "bridge", ["bond7", "tap101i0"]);
    add("enp2s0.12", "vlan", ["enp2s0"], ["master"]);
    add("lan", "bridge", ["enp2s0.12"]);
    add("vnet3", "", [], ["tun_flags", "master"]);
    add("tap101i0", "", [], ["tun_flags", "master"]);
    add("virbr0", "bridge", ["vnet3"]);
    const found = [...kernelInterfaces(path)].map(([name, { traits, isPart }]) => [
      name,
      mediumOf(name, false, traits),
      isPart,
    ]);
    expect(Object.fromEntries(found.map(([name, ...rest]) => [name, rest]))).toEqual({
      enp1s0: ["wired", true],
      enp2s0: ["wired", false],
      bond7: ["wired", true],
      vmbr0: ["wired", false],
      "enp2s0.12": ["wired", true],
      lan: ["wired", false],
      vnet3: ["vpn", true],
      tap101i0: ["vpn", true],
      virbr0: ["virtual", false],
    });
  } finally {
    remove();
  }
});

const sessionText = (more: Readonly<Record<string, string>> = {}): string =>
  Object.entries({
    UID: "1000",
    USER: "anna",
    ACTIVE: "1",
    STATE: "active",
    REMOTE: "0",
    TYPE: "wayland",
    CLASS: "user",
    SEAT: "seat0",
    TTY: "tty2",
    LEADER: "1811",
    ...more,
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");

test.each<[Record<string, string>, LocalSession | null]>([
  [{}, { id: "2", terminal: null }],
  [{ TYPE: "x11" }, { id: "2", terminal: null }],
  [{ TYPE: "tty" }, { id: "2", terminal: "tty2" }],
  [{ REMOTE: "1", TYPE: "tty", TTY: "pts/0" }, null],
  [{ CLASS: "greeter" }, null],
  [{ CLASS: "manager", TYPE: "unspecified" }, null],
  [{ CLASS: "background", TYPE: "unspecified" }, null],
  [{ ACTIVE: "0", STATE: "online" }, null],
  [{ STATE: "closing" }, null],
])("a logind session with %j is %j", (more, expected) => {
  expect(localSession("2", sessionText(more))).toEqual(expected);
});

test.each([
  ["IdleHint=no\nIdleSinceHint=0\n", 0],
  ["IdleHint=yes\nIdleSinceHint=1700000000000000\n", 60_000],
  ["IdleHint=yes\n", 0],
  ["", 0],
])("the hint %j of a session is %i ms without input", (text, idleMs) => {
  expect(idleMsOfHint(text, 1_700_000_060_000)).toBe(idleMs);
});

/** A record as login, sshd and a display manager write it. */
function loginRecord(type: number, line: string, host: string): Uint8Array {
  const record = new Uint8Array(384);
  new DataView(record.buffer).setInt16(0, type, true);
  record.set(Buffer.from(line), 8);
  record.set(Buffer.from("anna"), 44);
  record.set(Buffer.from(host), 76);
  return record;
}

test("login records name the terminals of local users", () => {
  const records = [
    loginRecord(2, "~", "6.1.0-18-amd64"),
    loginRecord(7, "tty1", ""),
    loginRecord(7, "pts/0", "10.0.0.7"),
    loginRecord(7, ":0", ":0"),
    loginRecord(8, "tty3", ""),
  ];
  // The end of a record that is being written.
  expect(terminalsIn(Buffer.concat([...records, new Uint8Array(100)]))).toEqual(["tty1", ":0"]);
});

test("a running program is listed by the name of its process and that of its executable", async () => {
  const { path, remove } = temporaryFolder("programs");
  const executable = join(path, "soffice-with-a-long-name.bin");
  copyFileSync("/bin/sleep", executable);
  const child = Bun.spawn([executable, "60"]);
  try {
    await until(async () => (await runningPrograms()).includes("soffice-with-a-long-name.bin"));
    expect(await runningPrograms()).toContain("soffice-with-a-");
    rmSync(executable);
    expect(await runningPrograms()).toContain("soffice-with-a-long-name.bin");
    child.kill();
    await child.exited;
    expect(await runningPrograms()).not.toContain("soffice-with-a-long-name.bin");
  } finally {
    child.kill();
    remove();
  }
});

const terminalIdleMs = (): number => Date.now() - statSync("/dev/null").atimeMs;

test("the idle time of users is that of the terminal with the last input, or null without a session", async () => {
  const { path, remove } = temporaryFolder("sessions");
  const places = { sessionsFolder: join(path, "sessions"), loginRecords: join(path, "utmp") };
  try {
    expect(await shortestIdleMs(places)).toBeNull();
    writeFileSync(
      places.loginRecords,
      Buffer.concat([loginRecord(7, "null", ""), loginRecord(7, "none", "")]),
    );
    const [fromMs, idleMs] = [terminalIdleMs(), (await shortestIdleMs(places))!];
    expect(idleMs).toBeWithin(Math.floor(fromMs), terminalIdleMs() + 1);
    writeFileSync(
      places.loginRecords,
      Buffer.concat([loginRecord(7, "null", ""), loginRecord(7, ":0", ":0")]),
    );
    expect(await shortestIdleMs(places)).toBe(0);
    // With logind, the records do not count.
    mkdirSync(places.sessionsFolder);
    expect(await shortestIdleMs(places)).toBeNull();
    writeFileSync(join(places.sessionsFolder, "3"), sessionText({ TYPE: "tty", TTY: "null" }));
    writeFileSync(join(places.sessionsFolder, "3.ref"), sessionText());
    writeFileSync(join(places.sessionsFolder, "4"), sessionText({ REMOTE: "1", TYPE: "tty", TTY: "zero" }));
    expect(await shortestIdleMs(places)).toBeWithin(Math.floor(fromMs), terminalIdleMs() + 1);
    // A graphical session without an idle hint has an active user.
    writeFileSync(join(places.sessionsFolder, "no-such-session"), sessionText());
    expect(await shortestIdleMs(places)).toBe(0);
    const ownIdleMs = await userIdleMs();
    expect(ownIdleMs === null || ownIdleMs >= 0).toBe(true);
  } finally {
    remove();
  }
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await Bun.sleep(20);
}
