/**
 * The packages for Linux, installed in a copy of this machine with a real systemd
 * (scripts/rig/system.ts). The installed programs are run, not the built ones.
 */
import { randomBytes } from "node:crypto";
import { copyFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect } from "bun:test";
import * as v from "valibot";
import { build } from "../scripts/build/build.ts";
import { nativeTargetName, parseTargets } from "../scripts/build/targets.ts";
import { debPrograms, makeDeb } from "../scripts/package/deb.ts";
import { makeMacArchive } from "../scripts/package/mac.ts";
import type { PackageInput } from "../scripts/package/package-input.ts";
import { makeRpm, rpmPrograms } from "../scripts/package/rpm.ts";
import { outputOf } from "../scripts/rig/process.ts";
import { digestFile } from "../scripts/rig/verify.ts";
import { openSystem, systemPrograms, type System } from "../scripts/rig/system.ts";
import { deviceListSchema } from "../shared/api/schema/device.ts";
import type { ServiceName } from "../shared/platform/service.ts";
import { until } from "./harness.ts";
import { programTest } from "./network-test.ts";

const packageTest = await programTest({ ...systemPrograms, ...debPrograms, ...rpmPrograms });

let folder = "";
const executables = new Map<string, string>();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-packages-"));
  const add = async (role: "peer" | "source", version: string): Promise<void> => {
    const [file] = await build(parseTargets([]), [role], join(folder, role, version), { version });
    executables.set(`${role} ${version}`, file!);
  };
  await add("source", "0.1.0");
  for (const version of ["0.1.0", "0.2.0"]) await add("peer", version);
}, 120_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

const inputOf = (name: ServiceName, version: string): PackageInput => ({
  name,
  version,
  architecture: nativeTargetName().includes("arm64") ? "arm64" : "x64",
  executable: executables.get(`${name.replace("flockcast-", "")} ${version}`)!,
  out: join(folder, "out"),
  epochSeconds: 1_700_000_000,
  isFast: true,
});

type Format = {
  readonly make: (input: PackageInput) => Promise<string>;
  readonly install: readonly string[];
  readonly upgrade: readonly string[];
  readonly remove: readonly string[];
  /** Removes data and settings too; null: the format cannot. */
  readonly purge: readonly string[] | null;
};
/** Without triggers: an index of all manual pages would take most of the time. */
const dpkg = (word: string) => ["dpkg", "--no-triggers", "--force-unsafe-io", word];
/** On Debian, rpm wants to be told that it may, and no dependency is installed as an rpm. */
const rpm = (...words: readonly string[]) => ["rpm", "--force-debian", "--nodeps", ...words];
const formats: Readonly<Record<string, Format>> = {
  deb: {
    make: makeDeb,
    install: dpkg("-i"),
    upgrade: dpkg("-i"),
    remove: dpkg("--remove"),
    purge: dpkg("--purge"),
  },
  rpm: { make: makeRpm, install: rpm("-i"), upgrade: rpm("-U"), remove: rpm("-e"), purge: null },
};

const sourceUrl = "https://127.0.0.1:7443";
const admin = ["--source", sourceUrl, "--token-file", "/var/lib/flockcast-source/admin.token"] as const;

/** Copies a package into the system. @returns its path there */
async function bring(system: System, file: string): Promise<string> {
  const path = `/root/${basename(file)}`;
  await copyFile(file, system.pathOf(path));
  return path;
}

async function putSettings(system: System): Promise<void> {
  await mkdir(system.pathOf("/etc/flockcast"), { recursive: true });
  const options = `FLOCKCAST_OPTIONS="--interface 127.0.0.1 --volunteer"`;
  const token = "FLOCKCAST_ENROLL_FILE=/etc/flockcast/enroll.token";
  const text = `FLOCKCAST_SOURCE=${sourceUrl}\n${token}\n${options}\n`;
  await writeFile(system.pathOf("/etc/flockcast/peer.env"), text);
  const given = await readFile(system.pathOf("/var/lib/flockcast-source/enroll.token"));
  await writeFile(system.pathOf("/etc/flockcast/enroll.token"), given, { mode: 0o600 });
}

type Listed = { readonly id: string; readonly version: string };
const untilListed = (system: System, version: string): Promise<Listed> =>
  until(
    async () =>
      `no agent of version ${version} checks in: ${(await system.run("journalctl", "-n", "40", "--no-pager")).stdout}`,
    60_000,
    async () => {
      const list = await system.run("flockcast-source", "device", "list", "--json", ...admin);
      if (list.status !== 0) return null;
      const devices = v.parse(deviceListSchema.entries.devices, JSON.parse(list.stdout));
      const found = devices.find(({ inventory }) => inventory?.agentVersion === version);
      return found === undefined ? null : { id: found.id, version };
    },
  );

for (const [format, { make, install, upgrade, remove, purge }] of Object.entries(formats))
  packageTest(
    `.${format}: installed by its settings it enrols and receives, is upgraded in service, and removed with${purge === null ? "out" : ""} its data at a purge`,
    async () => {
      await using system = await openSystem();
      const bare = await bring(system, await make(inputOf("flockcast-peer", "0.1.0")));
      const unconfigured = await system.outputOf(...install, bare);
      expect(unconfigured).toContain(
        "flockcast-peer is not started: write FLOCKCAST_SOURCE to /etc/flockcast/peer.env",
      );
      expect((await system.run("systemctl", "is-active", "flockcast-peer")).stdout.trim()).toBe("inactive");
      expect(await readFile(system.pathOf("/etc/flockcast/peer.env"), "utf8")).toContain(
        "#FLOCKCAST_SOURCE=",
      );
      await system.outputOf(...remove, "flockcast-peer");
      if (purge !== null) {
        await system.outputOf(...purge, "flockcast-peer");
        expect(existsSync(system.pathOf("/etc/flockcast"))).toBe(false);
      }

      const source = await bring(system, await make(inputOf("flockcast-source", "0.1.0")));
      await system.outputOf(...install, source);
      await until(
        () => "the source does not start",
        60_000,
        () => existsSync(system.pathOf("/var/lib/flockcast-source/source.url")) || null,
      );
      await putSettings(system);
      await system.outputOf(...install, bare);
      const device = await untilListed(system, "0.1.0");
      expect((await system.outputOf("flockcast-representative", "--version")).trim()).toBe("0.1.0");
      const bytes = randomBytes(2_000_000);
      await writeFile(system.pathOf("/root/data.bin"), bytes);
      const names = ["--name", "data", "--version", "1"] as const;
      const id = (
        await system.outputOf("flockcast-source", "publish", "/root/data.bin", ...names, ...admin)
      ).trim();
      const words = ["task", "create", id, "--action", "pre-cache", ...admin] as const;
      const task = (await system.outputOf("flockcast-source", ...words)).trim();
      const watched = await system.run(
        "flockcast-source",
        "task",
        "watch",
        task,
        "--timeout",
        "60s",
        ...admin,
      );
      expect(watched.status, watched.stdout + watched.stderr).toBe(0);
      const copy = system.pathOf("/var/lib/flockcast/cache/data/1/data.bin");
      expect((await readFile(copy)).equals(bytes)).toBe(true);

      await system.outputOf(...upgrade, await bring(system, await make(inputOf("flockcast-peer", "0.2.0"))));
      expect((await untilListed(system, "0.2.0")).id).toBe(device.id);
      expect(await readFile(system.pathOf("/etc/flockcast/peer.env"), "utf8")).toContain(sourceUrl);

      await system.outputOf(...remove, "flockcast-peer");
      expect((await system.run("systemctl", "is-active", "flockcast-peer")).stdout.trim()).toBe("inactive");
      for (const path of ["/usr/bin/flockcast-peer", "/usr/lib/systemd/system/flockcast-peer.service"])
        expect([path, existsSync(system.pathOf(path))]).toEqual([path, false]);
      expect([existsSync(copy), existsSync(system.pathOf("/etc/flockcast/peer.env"))]).toEqual([true, true]);
      if (purge === null) return;
      for (const name of ["flockcast-peer", "flockcast-source"]) await system.outputOf(...purge, name);
      const left = ["/var/lib/flockcast", "/var/lib/flockcast-source", "/etc/flockcast"];
      expect(left.filter((path) => existsSync(system.pathOf(path)))).toEqual([]);
    },
    180_000,
  );

packageTest(
  "two packages of one commit have the same bytes, and their executable is that of the build",
  async () => {
    const input = { ...inputOf("flockcast-peer", "0.1.0"), architecture: "arm64" as const };
    for (const { make } of Object.values(formats)) {
      const [first, second] = [join(folder, "first"), join(folder, "second")];
      const digests: string[] = [];
      for (const out of [first, second]) digests.push(await digestFile(await make({ ...input, out })));
      expect(digests[0]).toBe(digests[1]!);
    }
    const deb = join(folder, "first", "flockcast-peer_0.1.0_arm64.deb");
    expect(await outputOf(["dpkg-deb", "--field", deb, "Architecture"])).toBe("arm64\n");
    await outputOf(["dpkg-deb", "--extract", deb, join(folder, "extracted")]);
    const packed = join(folder, "extracted", "usr/bin/flockcast-peer");
    expect(await digestFile(packed)).toBe(await digestFile(input.executable));
    expect((await stat(packed)).mode & 0o777).toBe(0o755);
    const listed = await outputOf([
      "rpm",
      "-qp",
      "--queryformat",
      "%{ARCH}",
      join(folder, "first", "flockcast-peer-0.1.0-1.aarch64.rpm"),
    ]);
    expect(listed).toBe("aarch64");
  },
  120_000,
);

packageTest(
  "the archive for macOS has the program, scripts that a shell can read, and a property list of launchd",
  async () => {
    const out = join(folder, "mac");
    const input = { ...inputOf("flockcast-peer", "0.1.0"), architecture: "arm64" as const, out };
    const archive = await makeMacArchive(input);
    expect(basename(archive)).toBe("flockcast-peer-0.1.0-macos-arm64.tar.gz");
    await outputOf(["tar", "-xzf", archive, "-C", out]);
    const inside = join(out, "flockcast-peer-0.1.0");
    expect(await digestFile(join(inside, "flockcast-peer"))).toBe(await digestFile(input.executable));
    for (const script of ["install.sh", "uninstall.sh", "flockcast-representative"]) {
      expect((await stat(join(inside, script))).mode & 0o777).toBe(0o755);
      await outputOf(["/bin/sh", "-n", join(inside, script)]);
    }
    const list = await readFile(join(inside, "flockcast.peer.plist.example"), "utf8");
    expect(list).toContain("<string>flockcast.peer</string>");
    expect(list).toContain("<string>/Library/Application Support/flockcast</string>");
  },
  60_000,
);
