/** Port of the boot files, at a running source: names, methods, ranges, and what is refused. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "../../log.ts";
import { startSource, type RunningSource } from "../server.ts";
import { bootFileNames, bootFiles } from "./boot-files.ts";

let folder: string;
let source: RunningSource | null = null;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-boot-"));
});
afterEach(async () => {
  await source?.stop();
  source = null;
  await rm(folder, { recursive: true });
});

const kernel = Buffer.from(Array.from({ length: 100_000 }, (_, at) => at % 251));

async function makeFiles(boot: string): Promise<void> {
  await mkdir(boot, { recursive: true });
  await writeFile(join(boot, bootFiles.kernel), kernel);
  await writeFile(join(boot, bootFiles.initramfs), "initramfs");
  await writeFile(join(boot, bootFiles.script), "#!ipxe\n");
  await writeFile(join(boot, "boot.iso"), "fce_secret");
  await writeFile(join(boot, "token"), "fce_secret");
}

async function start(bootFolder: string | null): Promise<string> {
  source = await startSource({
    dataDir: join(folder, "data"),
    listen: { host: "127.0.0.1", port: 0 },
    boot: { listen: { host: "127.0.0.1", port: 0 }, folder: bootFolder },
    log: createLogger("test", "silent"),
  });
  return source.bootUrl!;
}

test("a source serves the boot files, parts of them, and nothing else of the folder", async () => {
  const boot = join(folder, "boot");
  await makeFiles(boot);
  const url = await start(boot);
  const whole = await fetch(`${url}/${bootFiles.kernel}`);
  expect([whole.status, whole.headers.get("content-length")]).toEqual([200, String(kernel.length)]);
  expect(Buffer.from(await whole.arrayBuffer()).equals(kernel)).toBe(true);
  expect(whole.headers.get("set-cookie")).toBeNull();
  expect(await (await fetch(`${url}/${bootFiles.script}`)).text()).toBe("#!ipxe\n");

  const head = await fetch(`${url}/${bootFiles.kernel}`, { method: "HEAD" });
  expect([head.status, head.headers.get("content-length"), (await head.bytes()).length]).toEqual([
    200,
    String(kernel.length),
    0,
  ]);
  const part = await fetch(`${url}/${bootFiles.kernel}`, { headers: { range: "bytes=99990-" } });
  expect([part.status, part.headers.get("content-range")]).toEqual([206, "bytes 99990-99999/100000"]);
  expect(Buffer.from(await part.arrayBuffer()).equals(kernel.subarray(99_990))).toBe(true);
  const beyond = await fetch(`${url}/${bootFiles.kernel}`, { headers: { range: "bytes=100000-" } });
  expect(beyond.status).toBe(416);

  for (const path of [
    "",
    "boot.iso",
    "token",
    "v1/identity",
    "healthz",
    "metrics",
    `x/${bootFiles.kernel}`,
    `%2e%2e/data/admin.token`,
    `${bootFiles.kernel}/`,
    "VMLINUZ",
  ]) {
    const { status } = await fetch(`${url}/${path}`);
    expect([path, status]).toEqual([path, 404]);
  }
  for (const method of ["POST", "PUT", "DELETE"]) {
    const refused = await fetch(`${url}/${bootFiles.kernel}`, { method });
    expect([method, refused.status, refused.headers.get("allow")]).toEqual([method, 405, "GET, HEAD"]);
  }
});

test("a source without a named folder serves the one in its data folder", async () => {
  await makeFiles(join(folder, "data", "boot"));
  // The folder is the source's own one, so it is private.
  await writeFile(join(folder, "data", "catalog.db"), "");
  const url = await start(null);
  expect((await fetch(`${url}/${bootFiles.initramfs}`)).status).toBe(200);
});

test("a source refuses to start, and makes no data folder, when a boot file is missing", async () => {
  const boot = join(folder, "boot");
  expect(start(boot)).rejects.toThrow(`The folder of the boot files "${boot}" does not exist`);
  for (const name of bootFileNames) {
    await makeFiles(boot);
    await rm(join(boot, name));
    expect(start(boot)).rejects.toThrow(`has no file "${name}": make the boot files with \`bun run image`);
    await makeFiles(boot);
    await writeFile(join(boot, name), "");
    expect(start(boot)).rejects.toThrow(`has no file "${name}"`);
  }
  expect(await stat(join(folder, "data")).catch(() => null)).toBeNull();
});

test("a source that cannot use the boot port ends, and frees its own port", async () => {
  const boot = join(folder, "boot");
  await makeFiles(boot);
  using taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const options = {
    dataDir: join(folder, "data"),
    listen: { host: "127.0.0.1", port: 0 },
    log: createLogger("test", "silent"),
  };
  const place = { listen: { host: "127.0.0.1", port: taken.port }, folder: boot };
  expect(startSource({ ...options, boot: place })).rejects.toThrow(
    `Cannot serve the boot files on 127.0.0.1:${taken.port}: another program uses this port`,
  );
  // The catalog is free again.
  source = await startSource(options);
  expect(source.bootUrl).toBeNull();
});
