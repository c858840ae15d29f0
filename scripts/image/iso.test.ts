/** Tests of the ISO: made from small files, and read by xorriso. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { temporaryFolder } from "../../shared/model/testing.ts";
import { installPrograms } from "../rig/debian.ts";
import { runToEnd } from "../rig/process.ts";
import { buildIso, isoFile } from "./iso.ts";

const programs = { xorriso: "xorriso", mformat: "mtools", "dpkg-deb": "dpkg" };
const missing = process.platform === "linux" ? await installPrograms(programs) : "the ISO is made on Linux";
const cache = join(import.meta.dir, "..", "..", ".boot-cache");

test.skipIf(missing !== null)(
  `an ISO starts by UEFI, and has the token in a file of its own${missing ?? ""}`,
  async () => {
    const { path: out, remove } = temporaryFolder("iso");
    try {
      await Bun.write(join(out, "vmlinuz"), "kernel");
      await Bun.write(join(out, "initramfs.img"), "files");
      await buildIso({ out, kernel: "vmlinuz", initramfs: "initramfs.img", cache, token: "fc_e1" });
      const iso = join(out, isoFile);
      const records = await runToEnd(["xorriso", "-indev", iso, "-report_el_torito", "plain"]);
      expect(records.stdout).toContain("UEFI");
      const found = join(out, "found");
      const read = await runToEnd(["xorriso", "-osirrox", "on", "-indev", iso, "-extract", "/boot", found]);
      expect(read.status).toBe(0);
      expect(await Bun.file(join(found, "initramfs")).text()).toBe("files");
      expect(await Bun.file(join(found, "token")).text()).toContain("fc_e1");
      expect(await Bun.file(join(found, "grub/grub.cfg")).text()).toContain("/boot/initramfs /boot/token");
    } finally {
      remove();
    }
  },
  180_000,
);
