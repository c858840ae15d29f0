/**
 * `bun run generate stories`: runs the stories of `shared/simulation/stories` and writes
 * docs/stories/*.txt.
 *
 * The same code gives the same transcripts, so a change of the files is a change of the devices'
 * behaviour: read it before the commit. `shared/simulation/stories.test.ts` compares the files with
 * the transcripts. A story that does not show its points is not written.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { stories, runStory } from "../../shared/simulation/stories/index.ts";

const folder = join(import.meta.dir, "..", "..", "docs", "stories");

/** Writes docs/stories. Sets the exit status to 1 when a story does not show one of its points. */
export async function generateStories(): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const story of stories) {
    const { text, missed } = runStory(story);
    for (const point of missed) console.error(`${story.name}: it does not show this: ${point}`);
    if (missed.length > 0) process.exitCode = 1;
    else await Bun.write(join(folder, `${story.name}.txt`), text);
  }
}
