/**
 * Stories: golden transcripts that document the protocol. A story runs one simulated world without
 * random faults. Its text has a title, an introduction, the history of the world with comments
 * between its lines, and the points that the story shows. docs/stories has the texts.
 */
import { ChunkSet } from "../../model/chunk-set.ts";
import type { ChunkOrigin } from "../../cache/index.ts";
import type { WorldOptions } from "../context.ts";
import { historyHeader } from "../history.ts";
import type { DeviceProfile } from "../machine.ts";
import { World } from "../world.ts";

export type Narrator = {
  /** Adds a comment to the transcript, after the lines so far. */
  comment(text: string): void;
  /** Runs the world without its lines in the transcript, which has their number instead. */
  skip(run: () => void): void;
  /** Adds a point that the story shows. The story fails when `isSo` is false. */
  show(text: string, isSo: boolean): void;
};

export type Story = {
  /** Name of its file, without ".txt". */
  readonly name: string;
  readonly title: string;
  /** Introduction: the situation, what happens, and why. */
  readonly about: string;
  /** Options that differ from `worldDefaults`. */
  readonly world?: Partial<WorldOptions>;
  readonly run: (world: World, narrator: Narrator) => void;
};

type StoryResult = {
  readonly text: string;
  /** Points that the story should show and does not. */
  readonly missed: readonly string[];
};

const widthMax = 100;
const timeWidth = 10;
const heldAt = historyHeader.indexOf("held");
const eventAt = historyHeader.indexOf("event");
const detailAt = historyHeader.indexOf("detail");
/** Lines in a row of one kind above which only the first and the last are kept. */
const rowMax = 4;

/** Runs a story and returns its transcript. @throws Violation when a checker fails */
export function runStory(story: Story): StoryResult {
  const world = new World({ wanRateBps: 100_000, isEven: true, ...story.world, logsFrames: true });
  // A switch keeps the order of frames, and a story without reordering is easier to read.
  for (const conditions of world.network.conditions) conditions.jitterMs = 0;
  const history: string[] = [];
  const shown: string[] = [];
  const missed: string[] = [];
  let lineCount = 0;
  /** Takes the lines of the history since the last call. */
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
    "The story shows:",
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

/** Returns the representatives of the subnet, for example "A" or "A B". */
export const leaders = (world: World, subnet = 1): string =>
  world
    .representatives(subnet)
    .map(({ name }) => name)
    .join(" ");

/** Returns the number of chunks of this origin that the device's current process received. */
export const receivedFrom = (world: World, name: string, origin: ChunkOrigin): number =>
  world.device(name).process!.receivedFrom(origin);

/** Returns the number of chunks that crossed the subnet's WAN line. */
export const wanChunks = (world: World, subnet = 1): number => world.checks.wan.accounts[subnet]!.chunks;

export const roleOf = (world: World, name: string): string => world.device(name).process?.role ?? "off";

export const heldCount = (world: World, name: string): number => world.device(name).process?.heldCount ?? 0;

/** Returns the number of chunks that no running device of the subnet holds. */
export function unheldCount(world: World, subnet = 1): number {
  const held = new ChunkSet(world.options.chunks);
  for (const { process } of world.machinesOn(subnet))
    if (process && !process.isStopping) held.addAll(process.held);
  return world.options.chunks - held.count;
}

/** Returns the number of lines of the history that match. */
export const countLines = (world: World, pattern: RegExp): number =>
  world.log.filter((line) => pattern.test(line)).length;

const omittedLine = (count: number): string => `${" ".repeat(eventAt)}… ${count} more`;

/** Returns the columns between time and detail, without the number of held chunks. */
const kindOf = (line: string | undefined): string | undefined =>
  line && `${line.slice(timeWidth, heldAt)}${line.slice(eventAt, detailAt)}`;

/** Folds more than `rowMax` consecutive lines of one kind and device to the first and the last. */
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
