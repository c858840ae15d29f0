/** Keys and commands of ended tasks on a device: no file of the data folder has them. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { createCleanups } from "./cleanups.ts";
import { until } from "./harness.ts";

const { open } = createCleanups();

/** Returns the files of a folder that contain one of the texts. */
async function filesWith(folder: string, texts: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const bytes = await readFile(join(entry.parentPath, entry.name)).catch(() => Buffer.alloc(0));
    if (texts.some((text) => bytes.includes(text))) found.push(entry.name);
  }
  return found;
}

test("no file of a device has keys and command of a task that ended and was reported", async () => {
  const harness = await open();
  const peer = await harness.startPeer({ name: "pc" });
  const packageId = await harness.publish(await harness.makeFile("tool.bin", 200_000), {
    name: "tool",
    version: "1",
  });
  const gate = join(harness.folder, "gate");
  const secret = "PASSWORD-7f3a9";
  const command = `: ${secret}; until [ -e '${gate}' ]; do sleep 0.05; done`;
  const taskId = await harness.createTask(packageId, { action: "run", command });
  const keys = await until(
    () => "the ledger does not have the task",
    30_000,
    async () => {
      for (const name of await readdir(peer.data)) {
        if (!name.startsWith("ledger.db")) continue;
        const text = (await readFile(join(peer.data, name))).toString("latin1");
        const task = /"taskKey":"([^"]{24})","packageKey":"([^"]{24})"/.exec(text);
        if (task && text.includes(secret)) return [task[1]!, task[2]!];
      }
      return null;
    },
  );
  expect((await filesWith(peer.data, [keys[0]!])).length).toBeGreaterThan(0);
  await Bun.write(gate, "");
  await harness.waitUntilComplete(taskId, [peer]);
  await until(
    async () => `still in ${(await filesWith(peer.data, [secret, keys[0]!])).join()}`,
    30_000,
    async () => (await filesWith(peer.data, [secret, keys[0]!])).length === 0 || null,
  );
  // The package is still offered to other devices, under its key of this epoch.
  expect(await filesWith(peer.data, [keys[1]!])).not.toEqual([]);
  const late = await harness.startPeer({ name: "late" });
  await harness.waitUntilComplete(await harness.createTask(packageId), [late]);
  expect((await late.status()).tasks[0]!.from.peers).toBeGreaterThan(0);
}, 120_000);
