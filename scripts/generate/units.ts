/** `bun run generate units`: writes the units of docs/OPERATIONS.md, each below its name. */
import { join } from "node:path";
import { documentUnits } from "../package/units.ts";

const page = join(import.meta.dir, "..", "..", "docs", "OPERATIONS.md");

/** The name of a unit's file, and the block of text that follows. */
const blocks = /(`([\w./-]+\.(?:service|conf))`[^`]*```\n)([\s\S]*?)```/g;

/** Returns the page with the texts of the units. */
export const withUnits = (text: string): string =>
  text.replaceAll(blocks, (whole, before: string, name: string) => {
    const unit = documentUnits.get(name);
    return unit === undefined ? whole : `${before}${unit}\`\`\``;
  });

export const generateUnits = async (): Promise<void> =>
  void (await Bun.write(page, withUnits(await Bun.file(page).text())));
