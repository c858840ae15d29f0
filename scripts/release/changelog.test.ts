import { expect, test } from "bun:test";
import { sectionOf, withSection, type Commit } from "./changelog.ts";

const commits = (...subjects: string[]): Commit[] => subjects.map((subject) => ({ subject, body: "" }));
const section = (list: readonly Commit[], isFirst = false) =>
  sectionOf({ version: "1.2.0", day: "2030-01-31", commits: list, isFirst });

test("groups the changes that a user notices, by scope, the oldest first", () => {
  const text = section(
    commits(
      "test(agent): a test",
      "fix(source): the second",
      "perf: faster starts",
      "fix(agent): a `*` in <names> of a_b",
      "feat(source)!: TLS by default",
      "fix(source): the first",
      "docs: a page",
      "feat: boot images",
      "Merge branch 'x'",
    ),
  );
  expect(text).toBe(`## 1.2.0 (2030-01-31)

### Needs your attention

- **source**: TLS by default

### New

- boot images

### Corrected

- **agent**: a \`*\` in \\<names> of a\\_b
- **source**: the first
- **source**: the second

### Faster

- faster starts
`);
});

test("quotes what a breaking commit asks of the administrator", () => {
  const body = "Why.\n\nBREAKING CHANGE: give the\nsource a name\n\nSigned-off-by: x";
  expect(section([{ subject: "feat(source): names", body }])).toContain(
    "### Needs your attention\n\n- **source**: give the source a name\n",
  );
});

test("leaves out a commit that was taken back, and one of the first release that corrects", () => {
  const list = commits("feat: b", 'Revert "feat: a"', "feat: a", "fix: c");
  expect(section(list)).toBe("## 1.2.0 (2030-01-31)\n\n### New\n\n- b\n\n### Corrected\n\n- c\n");
  expect(section(list, true)).toBe("## 1.2.0 (2030-01-31)\n\n### New\n\n- b\n");
  expect(section(commits("test: x"))).toContain("No change that a user notices.");
});

test("puts a section above the earlier ones, and makes the file where there is none", () => {
  const first = withSection(null, "## 1.0.0 (2029-01-01)\n\nOne.\n");
  expect(first).toMatch(/^# Changelog\n\n.*\n\n## 1\.0\.0 \(2029-01-01\)\n\nOne\.\n$/);
  const second = withSection(first, "## 1.1.0 (2030-01-01)\n\nTwo.\n");
  expect(second.replace("## 1.1.0 (2030-01-01)\n\nTwo.\n\n", "")).toBe(first);
});
