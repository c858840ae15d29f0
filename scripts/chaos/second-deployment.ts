/**
 * Second deployment on the subnet of the first site: a source and two devices of its own, on the
 * same multicast group as the deployment under test.
 */
import { join } from "node:path";
import { enrollTokenOf, startDevice, startSource } from "../rig/deployment.ts";
import { inside, insideAs } from "../lab/namespace.ts";
import type { LabDevice } from "../lab/site.ts";
import type { World } from "../lab/world.ts";
import { ledgerTasks } from "../rig/ledger-reader.ts";
import { differenceFrom } from "../rig/verify.ts";
import type { ChaosOptions } from "./options.ts";

export type SecondDeployment = {
  /** Publishes the same bytes under another name. */
  readonly publish: (version: string) => Promise<void>;
  /**
   * Creates a task for the package published last. The returned function waits for its end and
   * returns one sentence per wrong copy.
   */
  readonly distribute: () => Promise<() => Promise<string[]>>;
};

const limitMs = 60_000;

const isOver = (data: string, taskId: number): boolean =>
  ledgerTasks(data).some((task) => task.taskId === taskId && task.life === "complete");

/** @param places of its source and devices, without a device of the deployment under test */
export async function openSecondDeployment(
  world: World,
  places: readonly LabDevice[],
  options: ChaosOptions,
): Promise<SecondDeployment> {
  const folder = (name: string): string => join(world.folder, `second-${name}`);
  const [first] = places;
  const source = await startSource({
    programs: world.programs,
    data: folder("source"),
    listen: `${first!.address}:0`,
    prefix: inside(first!.namespace),
    args: ["--no-tls"],
  });
  const words = [
    `sessionStartDelay=${Math.round(options.delay * 1_000)}ms`,
    `wanRate=${options.wan}mbit`,
    `cacheMaxBytes=${Math.round(2.5 * world.sent.sizeBytes)}`,
  ];
  await source.admin("setting", "set", "default", ...words);
  const enrollToken = await enrollTokenOf(source);
  const data = places.map(({ name }) => folder(name));
  for (const [at, place] of places.entries()) {
    startDevice({
      programs: world.programs,
      name: `second ${place.name}`,
      data: data[at]!,
      sourceUrl: source.url,
      enrollToken,
      prefix: insideAs(place.namespace, `second-${place.name}`),
    });
  }
  const { path, digests } = world.sent;
  let packageId = "";
  let version = "";
  return {
    publish: async (next) => {
      version = next;
      packageId = await source.admin("publish", path, "--name", "second", "--version", version);
    },
    distribute: async () => {
      const taskId = Number(await source.admin("task", "create", packageId, "--action", "pre-cache"));
      return async () => {
        const giveUpAtMs = performance.now() + limitMs;
        while (!data.every((one) => isOver(one, taskId)) && performance.now() < giveUpAtMs)
          await Bun.sleep(100);
        const wrong = await Promise.all(
          data.map((one) => differenceFrom(digests, join(one, "cache", "second", version))),
        );
        await source.admin("task", "cancel", String(taskId));
        return wrong.flatMap((text) => (text === null ? [] : [`second deployment: ${text}`]));
      };
    },
  };
}
