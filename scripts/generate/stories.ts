/**
 * Tells the stories of `shared/simulation/stories` anew: `bun scripts/generate/stories.ts` writes docs/stories/*.txt.
 *
 * The same code tells the same stories, so a change of the files is a change of what devices do: read it before it is
 * committed. `shared/simulation/stories.test.ts` compares the files with what is told. A story that does not show what
 * it should is not written.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { stories, tellStory } from "../../shared/simulation/stories/index.ts";

const folder = join(import.meta.dir, "..", "..", "docs", "stories");

/** Writes docs/stories. Sets the exit status to 1 when a story does not show what it should. */
export async function generateStories(): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const story of stories) {
    const { text, missed } = tellStory(story);
    for (const point of missed) console.error(`${story.name}: it does not show this: ${point}`);
    if (missed.length > 0) process.exitCode = 1;
    else await Bun.write(join(folder, `${story.name}.txt`), text);
  }
}
