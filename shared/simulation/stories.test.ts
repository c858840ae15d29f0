/** Compares every file of docs/stories with the transcript of its story, and checks its points. */
import { describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { stories, runStory } from "./stories/index.ts";

const folder = join(import.meta.dir, "..", "..", "docs", "stories");

describe("stories (`bun run generate stories` writes them)", () => {
  test.each(stories.map((story) => [story.name, story] as const))("%s", async (name, story) => {
    const { text, missed } = runStory(story);
    expect(missed).toEqual([]);
    expect(text).toBe(await Bun.file(join(folder, `${name}.txt`)).text());
  });

  test("are the files of docs/stories, all listed in its README in reading order", async () => {
    const files = (await readdir(folder)).filter((file) => file.endsWith(".txt"));
    expect(files.toSorted()).toEqual(stories.map(({ name }) => `${name}.txt`).toSorted());
    const readme = await Bun.file(join(folder, "README.md")).text();
    const listed = [...readme.matchAll(/\]\((.+?\.txt)\)/g)].map((match) => match[1]!);
    expect(listed).toEqual(stories.map(({ name }) => `${name}.txt`));
  });
});
