/**
 * `bun run generate reasons`: writes docs/REASONS.md, the list of reason codes for people who
 * read the API. The words come from shared/model/reason-table.ts, with sample values.
 * `scripts/generate/reasons.test.ts` compares the file with the table.
 */
import { join } from "node:path";
import type * as v from "valibot";
import { reasonTable } from "../../shared/model/reason-table.ts";
import { reasonText, type Reason } from "../../shared/model/reason.ts";

const path = join(import.meta.dir, "..", "..", "docs", "REASONS.md");

const head = `# Reasons

Why a task of a device is in its state. Reports, \`status --json\` and \`task show --json\` have \`reasons\`: a list of
objects with a \`code\` and its parameters. The programs make the words where they show them. Texts of the operating
system, of web sites and of the source are in the parameter \`detail\`. Times are milliseconds since 1970, other times
milliseconds, rates bit/s. A reason of another version may have a code that is not in this list.

Written by \`bun run generate reasons\` from \`shared/model/reason-table.ts\`, with sample values.

| code | parameters | words |
| ---- | ---------- | ----- |
`;

type Entry = v.GenericSchema & { readonly wrapped?: v.GenericSchema };

function sampleOf(name: string, { type, wrapped }: Entry): string | number | boolean {
  if (wrapped !== undefined) return sampleOf(name, wrapped);
  if (type === "string") return name.toUpperCase();
  if (type === "boolean") return true;
  return name === "atMs"
    ? Date.UTC(2030, 0, 31, 22)
    : name === "share"
      ? 0.4
      : name.endsWith("Ms")
        ? 5_000
        : 3;
}

/** Returns each reason with a sample value for every parameter. */
export const sampleReasons = (): Reason[] =>
  Object.entries(reasonTable).map(([code, { schema }]) => {
    const sample: Reason = { code };
    for (const [name, entry] of Object.entries(schema.entries as Record<string, Entry>))
      sample[name] = sampleOf(name, entry);
    return sample;
  });

/** Returns the text of docs/REASONS.md. */
export const reasonsPage = (): string =>
  head +
  sampleReasons()
    .map((sample) => {
      const { code, ...parameters } = sample;
      const names = Object.keys(parameters).map((name) => `\`${name}\``);
      return `| \`${code}\` | ${names.join(" ")} | ${reasonText(sample).replaceAll("|", "\\|")} |\n`;
    })
    .join("");

export async function generateReasons(): Promise<void> {
  await Bun.write(path, reasonsPage());
}
