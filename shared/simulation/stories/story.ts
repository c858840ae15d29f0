/**
 * A story: one simulated world in which something happens, told as a text. The text is the heading, what happens and
 * why, the world's history with the narrator's words between its lines, and what the story shows.
 */
import { ChunkSet } from "../../model/chunk-set.ts";
import type { WorldOptions } from "../env.ts";
import type { Character } from "../machine.ts";
import { historyHeader } from "../history.ts";
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
  const world = new World({ wanRateBps: 100_000, ...story.world, talk: true });
  // A switch keeps the order of what passes.
  for (const weather of world.network.weather) weather.jitterMs = 0;
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
export const server: Partial<Character> = { deviceClass: "server", volunteer: true };
export const laptop: Partial<Character> = { deviceClass: "laptop", medium: "wireless" };

export function makeIt(world: World, name: string, change: Partial<Character>): void {
  const machine = world.device(name);
  machine.character = { ...machine.character, ...change };
}

/** Who leads on the subnet, for example "A" or "A B". */
export const leaders = (world: World, subnet = 1): string =>
  world
    .representatives(subnet)
    .map(({ name }) => name)
    .join(" ");

/** Chunks of this device's life that came from there. */
export const came = (world: World, name: string, from: "wan" | "multicast" | "peers"): number =>
  world.device(name).life!.store.origins[from];

/** Chunks that crossed the subnet's WAN line. */
export const crossed = (world: World, subnet = 1): number => world.checks.wan[subnet]!.chunks;

export const roleOf = (world: World, name: string): string => world.device(name).life?.role ?? "off";

export const heldBy = (world: World, name: string): number =>
  world.device(name).life?.store.verified.count ?? 0;

/** Chunks of the package that no living device of the subnet holds. */
export function nobodyHolding(world: World, subnet = 1): number {
  const held = new ChunkSet(world.options.chunks);
  for (const { life } of world.on(subnet)) if (life) held.addAll(life.store.verified);
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
