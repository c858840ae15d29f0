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
  comment(text: string): void;
  /** What goes on in the same way: its lines are only counted. */
  skip(run: () => void): void;
  /** The point of the story: what must be so at this moment. */
  show(text: string, isSo: boolean): void;
};

export type Story = {
  /** Of its file, without ".txt". */
  readonly name: string;
  readonly title: string;
  readonly about: string;
  /** Instead of `worldDefaults`. */
  readonly world?: Partial<WorldOptions>;
  readonly run: (world: World, narrator: Narrator) => void;
};

export type StoryResult = {
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
export function runStory(story: Story): StoryResult {
  const world = new World({ wanRateBps: 100_000, ...story.world, logsFrames: true });
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
  story.run(world, {
    comment: (text) => history.push(...folded(lines()), "", ...wrapped(text), ""),
    skip: (run) => {
      history.push(...folded(lines()));
      run();
      history.push(omittedLine(lines().length));
    },
    show: (text, isSo) => (isSo ? shown : missed).push(text),
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

export function setProfile(world: World, name: string, change: Partial<DeviceProfile>): void {
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
export const receivedFrom = (world: World, name: string, origin: ChunkOrigin): number =>
  world.device(name).process!.receivedFrom(origin);

/** Chunks that crossed the subnet's WAN line. */
export const wanChunks = (world: World, subnet = 1): number => world.checks.wan.accounts[subnet]!.chunks;

export const roleOf = (world: World, name: string): string => world.device(name).process?.role ?? "off";

export const heldCount = (world: World, name: string): number => world.device(name).process?.heldCount ?? 0;

/** Chunks of the package that no running device of the subnet holds. */
export function unheldCount(world: World, subnet = 1): number {
  const held = new ChunkSet(world.options.chunks);
  for (const { process } of world.machinesOn(subnet))
    if (process && !process.isStopping) held.addAll(process.held);
  return world.options.chunks - held.count;
}

/** How often the history has such a line. */
export const countLines = (world: World, pattern: RegExp): number =>
  world.log.filter((line) => pattern.test(line)).length;

const omittedLine = (count: number): string => `${" ".repeat(eventAt)}… ${count} more`;

/** Everything between the time and the detail, but for the chunks held. */
const kindOf = (line: string | undefined): string | undefined =>
  line && `${line.slice(timeWidth, heldAt)}${line.slice(eventAt, detailAt)}`;

/** Of many lines in a row in which one device says the same kind of thing only the first and the last stay. */
function folded(lines: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at < lines.length;) {
    let end = at + 1;
    while (kindOf(lines[end]) === kindOf(lines[at])) end++;
    const row = lines.slice(at, end);
    at = end;
    if (row.length <= rowMax) kept.push(...row);
    else kept.push(row[0]!, omittedLine(row.length - 2), row.at(-1)!);
  }
  return kept;
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
