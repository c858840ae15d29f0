/** Small JSON files of the data folder in which the agent notes what it is in the middle of. */
import { readFileSync } from "node:fs";
import * as v from "valibot";

/** Returns the content; null without the file, and for one that cannot be read. */
export function readStateFile<S extends v.GenericSchema>(path: string, schema: S): v.InferOutput<S> | null {
  try {
    const parsed = v.safeParse(schema, JSON.parse(readFileSync(path, "utf8")));
    return parsed.success ? parsed.output : null;
  } catch {
    return null;
  }
}
