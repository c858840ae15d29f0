/**
 * `bun run generate man`: writes the manual pages of the three programs to docs/man, from their
 * command lines. `roles/command-lines.test.ts` compares the pages with the programs.
 */
import { join } from "node:path";
import { peerProgram } from "../../roles/peer.ts";
import { representativeProgram } from "../../roles/representative.ts";
import { sourceProgram } from "../../roles/source.ts";
import { agentProgram } from "../../shared/agent/program.ts";
import { treeOf, type CommandNode } from "../../shared/command-line/command-tree.ts";
import { manualPage } from "../../shared/command-line/manual-page.ts";
import { agentFacts, sourceFacts, type ProgramFacts } from "../../shared/command-line/program-facts.ts";
import { version } from "../../shared/version.ts";

export const manualFolder = join(import.meta.dir, "..", "..", "docs", "man");

/** The three programs, with what their pages have. */
export const programTrees = (): readonly { readonly tree: CommandNode; readonly facts: ProgramFacts }[] => [
  { tree: treeOf(sourceProgram()), facts: sourceFacts },
  { tree: treeOf(agentProgram(peerProgram)), facts: agentFacts },
  { tree: treeOf(agentProgram(representativeProgram)), facts: agentFacts },
];

/** Returns the pages: name of the file → text. */
export const manualPages = (): ReadonlyMap<string, string> =>
  new Map(programTrees().map(({ tree, facts }) => [`${tree.name}.1`, manualPage(tree, facts, version)]));

export async function generateMan(): Promise<void> {
  for (const [name, text] of manualPages()) await Bun.write(join(manualFolder, name), text);
}
