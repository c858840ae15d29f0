/**
 * The Git repository of a release: its state, the commits since the last version, and the commit
 * and tag of the release.
 */
import { outputOf, runToEnd } from "../rig/process.ts";
import { compareVersions } from "../../shared/model/version-order.ts";
import type { Commit } from "./changelog.ts";

const versionTag = /^v\d+\.\d+\.\d+$/;
/** Separators of the fields and records of `git log`: no text of a commit has them. */
const fieldEnd = "\u001F";
const recordEnd = "\u001E";

export type Repository = ReturnType<typeof openRepository>;

/** @param root folder of the checkout */
export function openRepository(root: string) {
  const git = (...words: readonly string[]) => outputOf(["git", "-C", root, ...words]);
  const line = async (...words: readonly string[]) => (await git(...words)).trim();
  return {
    head: () => line("rev-parse", "HEAD"),

    /** Returns the paths that differ from the last commit, also files that it does not have. */
    changedPaths: async (): Promise<string[]> =>
      (await git("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all"))
        .split("\0")
        .filter((entry) => entry !== "")
        .map((entry) => entry.slice(3)),

    /** @throws Error when no branch is checked out */
    branch: async (): Promise<string> => {
      const { status, stdout } = await runToEnd(["git", "-C", root, "symbolic-ref", "--short", "HEAD"]);
      if (status !== 0) throw new Error("No branch is checked out: run git switch BRANCH first");
      return stdout.trim();
    },

    /** Returns the highest tag of a version that the branch contains; null without one. */
    lastTag: async (): Promise<string | null> =>
      (await git("tag", "--list", "v*", "--merged", "HEAD"))
        .split("\n")
        .filter((tag) => versionTag.test(tag))
        .toSorted((a, b) => compareVersions(b, a))[0] ?? null,

    hasTag: async (tag: string): Promise<boolean> => (await line("tag", "--list", tag)) !== "",

    /** Returns the commits since a tag, the newest first. @param tag null: all commits */
    commitsSince: async (tag: string | null): Promise<Commit[]> => {
      const range = tag === null ? "HEAD" : `${tag}..HEAD`;
      const format = `--format=%s${fieldEnd}%b${recordEnd}`;
      const records = (await git("log", "--no-merges", format, range)).split(recordEnd);
      return records.slice(0, -1).map((record) => {
        const [subject, body] = record.trimStart().split(fieldEnd);
        return { subject: subject!, body: body!.trim() };
      });
    },

    /** Commits these files with one time, which the build has used too. */
    commit: async (paths: readonly string[], message: string, epochSeconds: number): Promise<void> => {
      const time = `@${epochSeconds} +0000`;
      await git("add", "--", ...paths);
      await outputOf(["git", "-C", root, "commit", "--quiet", "--message", message, "--", ...paths], {
        env: { GIT_AUTHOR_DATE: time, GIT_COMMITTER_DATE: time },
      });
    },

    /** @param text of the tag; lines that begin with "#" are headings, and stay */
    tag: async (tag: string, text: string): Promise<void> => {
      const words = ["tag", "--annotate", "--cleanup=verbatim", "--file=-", tag];
      await outputOf(["git", "-C", root, ...words], { input: text });
    },

    /** Takes the branch, the index and these files back to a commit. Other files stay. */
    restore: async (head: string, paths: readonly string[]): Promise<void> => {
      await git("reset", "--quiet", "--soft", head);
      await git("reset", "--quiet", "--", ...paths);
      const known = (await git("ls-tree", "-r", "--name-only", "-z", head, "--", ...paths)).split("\0");
      const tracked = known.filter((path) => path !== "");
      if (tracked.length > 0) await git("checkout", "--quiet", head, "--", ...tracked);
      const created = paths.filter((path) => !tracked.includes(path));
      if (created.length > 0) await git("clean", "--force", "--quiet", "--", ...created);
    },
  };
}
