import { expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { temporaryFolder } from "../model/testing.ts";
import { mediumOf } from "../net/interfaces/medium.ts";
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
