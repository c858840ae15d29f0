/** The table of the data folder's files, against what a source makes. */
import { expect, test } from "bun:test";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "../log.ts";
import { dataFiles } from "./data-files.ts";
import { startSource } from "./server.ts";

test("a source makes no file that the table lacks: backups would miss it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "flockcast-files-"));
  const source = await startSource({
    dataDir: folder,
    listen: { host: "127.0.0.1", port: 0 },
    log: createLogger("test", "silent"),
  });
  const made = (await readdir(folder)).filter((name) => !/^catalog\.db-(wal|shm)$/.test(name));
  const listed: string[] = Object.values(dataFiles).map(({ name }) => name);
  expect(made.toSorted()).toEqual(listed.toSorted());
  await source.stop();
  await rm(folder, { recursive: true });
});
