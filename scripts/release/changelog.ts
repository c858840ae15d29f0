/**
 * Sections of CHANGELOG.md, made of conventional commits (www.conventionalcommits.org). They list
 * what a user notices: new parts, corrections, gains of speed, and changes that need an
 * administrator. Commits of tests, documents, builds and rearranged code are left out.
 */

export type Commit = { readonly subject: string; readonly body: string };

type Group = "action" | "feat" | "fix" | "perf";

/** Groups in the order of the section, with their headings. */
const headings: Readonly<Record<Group, string>> = {
  action: "Needs your attention",
  feat: "New",
  fix: "Corrected",
  perf: "Faster",
};

type Change = { readonly group: Group; readonly scope: string; readonly text: string };

const conventional = /^(?<type>[a-z]+)(?:\((?<scope>[^)]+)\))?(?<breaking>!)?: (?<text>.+)$/;

/** Returns the change that a commit is for a user; null for none. */
function changeOf({ subject, body }: Commit): Change | null {
  const parts = conventional.exec(subject)?.groups;
  if (parts === undefined) return null;
  const { type, scope = "", text } = parts as { type: string; scope?: string; text: string };
  const action = /(?:^|\n)BREAKING[ -]CHANGE: ([\s\S]+?)(?:\n\n|$)/
    .exec(body)?.[1]
    ?.replaceAll(/\s+/g, " ")
    .trim();
  if (action !== undefined) return { group: "action", scope, text: action };
  if (parts["breaking"] !== undefined) return { group: "action", scope, text };
  return type === "feat" || type === "fix" || type === "perf" ? { group: type, scope, text } : null;
}

/** Removes commits that a later one of the list took back, and the one that took them back. */
function withoutReverted(commits: readonly Commit[]): Commit[] {
  const reverted = new Map<string, number>();
  const kept: Commit[] = [];
  // The newest commit is first.
  for (const commit of commits) {
    const earlier = /^Revert "(.+)"$/.exec(commit.subject)?.[1];
    const count = reverted.get(commit.subject) ?? 0;
    if (count > 0) reverted.set(commit.subject, count - 1);
    else if (earlier === undefined) kept.push(commit);
    else reverted.set(earlier, (reverted.get(earlier) ?? 0) + 1);
  }
  return kept;
}

/** Escapes what Markdown would take for a mark, outside of code. */
const plain = (text: string): string =>
  text.replaceAll(/`[^`]*`|[*_<[\]]/g, (found) => (found.startsWith("`") ? found : `\\${found}`));

export type Section = {
  readonly version: string;
  /** Such as 2030-01-31. */
  readonly day: string;
  /** The newest commit is first. */
  readonly commits: readonly Commit[];
  /** A first version corrects nothing that was released. */
  readonly isFirst: boolean;
};

/** Returns the section of a version in Markdown, with its heading. */
export function sectionOf({ version, day, commits, isFirst }: Section): string {
  const changes = withoutReverted(commits)
    .toReversed()
    .map(changeOf)
    .filter((change) => change !== null);
  const parts = [`## ${version} (${day})`];
  for (const [group, heading] of Object.entries(headings)) {
    if (isFirst && group !== "feat") continue;
    const rows = changes
      .filter((change) => change.group === group)
      .toSorted((a, b) => a.scope.localeCompare(b.scope, "en"))
      .map(({ scope, text }) => `- ${scope === "" ? "" : `**${plain(scope)}**: `}${plain(text)}`);
    if (rows.length > 0) parts.push(`### ${heading}`, [...new Set(rows)].join("\n"));
  }
  if (parts.length === 1) parts.push("No change that a user notices.");
  return `${parts.join("\n\n")}\n`;
}

const head = `# Changelog

Versions of flockcast, the newest first. [OPERATIONS](docs/OPERATIONS.md#upgrades) has how to upgrade.
`;

/**
 * Returns the changelog with another section at its top.
 * @param text the changelog; null: there is none
 */
export function withSection(text: string | null, section: string): string {
  const old = text ?? head;
  const at = old.search(/^## /m);
  const [before, after] = at < 0 ? [old, ""] : [old.slice(0, at), old.slice(at)];
  return `${before.trimEnd()}\n\n${section.trimEnd()}\n${after === "" ? "" : `\n${after}`}`;
}
