/**
 * A story: one simulated world in which something happens, told as a text. The text is the heading, what happens and
 * why, the world's history with the narrator's words between its lines, and what the story shows.
 */
import { ChunkSet } from "../../model/chunk-set.ts";
import type { ChunkOrigin } from "../../cache/index.ts";
import type { WorldOptions } from "../context.ts";
import { historyHeader } from "../history.ts";
import type { DeviceProfile } from "../machine.ts";
import { World } from "../world.ts";

export type Narrator = {
  /** Words between the lines of the history, at this moment of the story. */
  says(text: string): void;
  /** What goes on in the same way: its lines are only counted. */
  skips(run: () => void): void;
  /** The point of the story: what must be so at this moment. */
  shows(text: string, isSo: boolean): void;
};

export type Story = {
  /** Of its file, without ".txt". */
  readonly name: string;
  readonly title: string;
  readonly about: string;
  /** Instead of `worldDefaults`. */
  readonly world?: Partial<WorldOptions>;
  readonly tell: (world: World, narrator: Narrator) => void;
};

export type Told = {
  readonly text: string;
  /** What the story should show, and does not. */
  readonly missed: readonly string[];
};

const widthMax = 100;
const timeWidth = 10;
const heldAt = historyHeader.indexOf("held");
const eventAt = historyHeader.indexOf("event");
const detailAt = historyHeader.indexOf("detail");
const rowMax = 4;

/** @throws Violation */
export function tellStory(story: Story): Told {
  const world = new World({ wanRateBps: 100_000, ...story.world, narrates: true });
  // A switch keeps the order of what passes.
  for (const conditions of world.network.conditions) conditions.jitterMs = 0;
  const history: string[] = [];
  const shown: string[] = [];
  const missed: string[] = [];
  let lineCount = 0;
  /** The lines since the narrator spoke last. */
  const lines = (): string[] => {
    const since = world.log.slice(lineCount);
    lineCount += since.length;
    return since;
  };
  story.tell(world, {
    says: (text) => history.push(...folded(lines()), "", ...wrapped(text), ""),
    skips: (run) => {
      history.push(...folded(lines()));
      run();
      history.push(more(lines().length));
    },
    shows: (text, isSo) => (isSo ? shown : missed).push(text),
  });
  history.push(...folded(lines()));
  const text = [
    story.title,
    "=".repeat(story.title.length),
    "",
    ...wrapped(story.about),
    "",
    ...history,
    "",
    "It shows:",
    ...shown.flatMap((each) => wrapped(each, "- ", "  ")),
  ];
  return { text: `${text.join("\n")}\n`, missed };
}

/** A server that always volunteers. */
export const server: Partial<DeviceProfile> = { deviceClass: "server", volunteer: true };
export const laptop: Partial<DeviceProfile> = { deviceClass: "laptop", medium: "wireless" };

export function makeIt(world: World, name: string, change: Partial<DeviceProfile>): void {
  const machine = world.device(name);
  machine.profile = { ...machine.profile, ...change };
}

/** Who leads on the subnet, for example "A" or "A B". */
export const leaders = (world: World, subnet = 1): string =>
  world
    .representatives(subnet)
    .map(({ name }) => name)
    .join(" ");

/** Chunks that the device's present process received from there. */
export const cameFrom = (world: World, name: string, origin: ChunkOrigin): number =>
  world.device(name).process!.cameFrom(origin);

/** Chunks that crossed the subnet's WAN line. */
export const crossed = (world: World, subnet = 1): number => world.checks.wan.accounts[subnet]!.chunks;

export const roleOf = (world: World, name: string): string => world.device(name).process?.role ?? "off";

export const heldBy = (world: World, name: string): number => world.device(name).process?.heldCount ?? 0;

/** Chunks of the package that no running device of the subnet holds. */
export function nobodyHolding(world: World, subnet = 1): number {
  const held = new ChunkSet(world.options.chunks);
  for (const { process } of world.on(subnet)) if (process && !process.isStopping) held.addAll(process.held);
  return world.options.chunks - held.count;
}

/** How often the history has such a line. */
export const timesTold = (world: World, pattern: RegExp): number =>
  world.log.filter((line) => pattern.test(line)).length;

const more = (count: number): string => `${" ".repeat(eventAt)}… ${count} more`;

/** Everything between the time and the detail, but for the chunks held. */
const kindOf = (line: string | undefined): string | undefined =>
  line && `${line.slice(timeWidth, heldAt)}${line.slice(eventAt, detailAt)}`;

/** Of many lines in a row in which one device says the same kind of thing only the first and the last stay. */
function folded(lines: readonly string[]): string[] {
  const told: string[] = [];
  for (let at = 0; at < lines.length;) {
    let end = at + 1;
    while (kindOf(lines[end]) === kindOf(lines[at])) end++;
    const row = lines.slice(at, end);
    at = end;
    if (row.length <= rowMax) told.push(...row);
    else told.push(row[0]!, more(row.length - 2), row.at(-1)!);
  }
  return told;
}

function wrapped(text: string, first = "", next = ""): string[] {
  const lines: string[] = [];
  let line = first;
  for (const word of text.split(/\s+/)) {
    if (line.length + word.length > widthMax) {
      lines.push(line.trimEnd());
      line = next;
    }
    line += `${word} `;
  }
  return [...lines, line.trimEnd()];
}
