/** Tests of the boot image's archive and of the order of its drivers. */
import { expect, test } from "bun:test";
import { installPrograms } from "../rig/debian.ts";
import { runToEnd } from "../rig/process.ts";
import { temporaryFolder } from "../../shared/model/testing.ts";
import { archiveOf, fileMode, folderMode, linkMode } from "./cpio.ts";
import { dependenciesIn } from "./modules.ts";

const missing = await installPrograms({ cpio: "cpio" });

test.skipIf(missing !== null)(
  `an archive is unpacked by cpio with types and bytes${missing ?? ""}`,
  async () => {
    const { path, remove } = temporaryFolder("cpio");
    try {
      const bytes = archiveOf([
        { path: "bin", mode: folderMode, bytes: new Uint8Array(0) },
        { path: "bin/odd", mode: fileMode, bytes: Buffer.from("12345") },
        { path: "bin/link", mode: linkMode, bytes: Buffer.from("odd") },
      ]);
      await Bun.write(`${path}/archive`, bytes);
      const { status } = await runToEnd(["sh", "-c", `cd ${path} && cpio -i --quiet < archive`]);
      expect(status).toBe(0);
      expect(await Bun.file(`${path}/bin/link`).text()).toBe("12345");
    } finally {
      remove();
    }
  },
);

/** Returns the text of a module that states these dependencies. */
const moduleThat = (depends: string) => Buffer.from(`\u007fELF\0license=GPL\0depends=${depends}\0name=x\0`);

test("a module names those that have to be loaded before it", () => {
  expect(dependenciesIn(moduleThat("net_failover,virtio-ring"))).toEqual(["net_failover", "virtio_ring"]);
  expect(dependenciesIn(moduleThat(""))).toEqual([]);
  expect(dependenciesIn(Buffer.from("none"))).toEqual([]);
});
