/**
 * `bun run release` in a repository of its own: a copy of this checkout with a short history. The
 * gate and the generator run in it; executables are not built. The names of all files are compared
 * with the documents.
 */
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { artifactNames, checkArtifacts, sumFiles } from "../scripts/release/artifacts.ts";
import { outputOf, runToEnd } from "../scripts/rig/process.ts";
import { version } from "../shared/version.ts";
import { programTest } from "./network-test.ts";

const root = join(import.meta.dir, "..");
const releaseTest = await programTest({ git: "git" });

let folder = "";
let clone = "";
const git = (...words: string[]) => outputOf(["git", "-C", clone, ...words]);
const release = (...words: string[]) =>
  runToEnd([process.execPath, join(clone, "scripts/release.ts"), ...words]);
const commit = (message: string) => git("commit", "--quiet", "--allow-empty", "--message", message);
const nextVersion = (): string => `${Number(version.split(".")[0]) + 1}.2.3`;

/** Returns what a failed release must not change. */
const state = async () => ({
  head: await git("rev-parse", "HEAD"),
  tags: await git("tag"),
  status: await git("status", "--porcelain", "--ignored"),
});

beforeAll(async () => {
  if (Bun.which("git") === null) return;
  folder = await mkdtemp(join(tmpdir(), "flockcast-release-"));
  clone = join(folder, "clone");
  for (const pattern of ["*", "{docs,roles,scripts,shared,tests}/**/*"])
    for await (const path of new Bun.Glob(pattern).scan({ cwd: root, dot: true })) {
      if (path === ".git") continue;
      await mkdir(dirname(join(clone, path)), { recursive: true });
      await copyFile(join(root, path), join(clone, path));
    }
  // The first release of the copy makes the file, whatever this checkout has.
  await rm(join(clone, "CHANGELOG.md"), { force: true });
  await symlink(join(root, "node_modules"), join(clone, "node_modules"));
  await git("init", "--quiet", "--initial-branch", "main");
  await git("config", "user.name", "Test");
  await git("config", "user.email", "test@localhost");
  await git("config", "commit.gpgsign", "false");
  await git("config", "tag.gpgsign", "false");
  await writeFile(join(clone, ".git/info/exclude"), "node_modules\n");
  await git("add", "--all");
  await commit("feat: devices exchange chunks");
  await git("tag", `v${version}`);
  for (const message of ["fix(agent): a <slow> disk", "test: more", "feat(source)!: names\n\nWhy."])
    await commit(message);
}, 120_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

releaseTest(
  "a dry run prints the changelog since the last version and changes nothing",
  async () => {
    const before = await state();
    const { status, stdout, stderr } = await release("--version", nextVersion(), "--dry-run");
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("### Needs your attention\n\n- **source**: names\n");
    expect(stdout).toContain("### Corrected\n\n- **agent**: a \\<slow> disk\n");
    expect(stdout).toContain("passed  links");
    expect(stdout).not.toContain("exchange chunks");
    expect(await state()).toEqual(before);
  },
  120_000,
);

releaseTest(
  "is refused without a key, for a wrong or a used version, and in a checkout with changes",
  async () => {
    const before = await state();
    const refusals = [
      [["--version", nextVersion()], "A release is signed"],
      [["--version", "1.2", "--no-build"], "is not a version"],
      [["--version", "1.2.70000", "--no-build"], "65535"],
      [["--version", "0.0.1", "--no-build"], "is not above the last one"],
      [["--version", version, "--no-build"], `The tag v${version} exists`],
    ] as const;
    for (const [words, reason] of refusals) {
      const { status, stderr } = await release(...words);
      expect([status, stderr]).toEqual([1, expect.stringContaining(reason)]);
    }
    await writeFile(join(clone, "docs/new.md"), "x");
    const { status, stderr } = await release("--version", nextVersion(), "--no-build");
    expect([status, stderr]).toEqual([1, expect.stringContaining("commit or stash docs/new.md first")]);
    await rm(join(clone, "docs/new.md"));
    expect(await state()).toEqual(before);
  },
  120_000,
);

releaseTest(
  "takes everything back when the commit, the tag or a check of the gate fails",
  async () => {
    const hook = join(clone, ".git/hooks/pre-commit");
    await mkdir(dirname(hook), { recursive: true });
    const before = await state();
    await writeFile(hook, "#!/bin/sh\necho the hook refuses >&2\nexit 1\n", { mode: 0o755 });
    const refused = await release("--version", nextVersion(), "--no-build");
    expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining("the hook refuses")]);
    expect(refused.stderr).toContain("The release was taken back");
    await rm(hook);
    expect(await state()).toEqual(before);

    // A folder takes the place of the tag.
    const tag = join(clone, ".git/refs/tags", `v${nextVersion()}`, "x");
    await mkdir(dirname(tag), { recursive: true });
    await writeFile(tag, await git("rev-parse", "HEAD"));
    const beforeTag = await state();
    const untagged = await release("--version", nextVersion(), "--no-build");
    expect([untagged.status, untagged.stderr]).toEqual([1, expect.stringContaining("taken back")]);
    expect(await state()).toEqual(beforeTag);
    await rm(dirname(tag), { recursive: true });

    await writeFile(join(clone, "docs/new.md"), "[nothing](gone.md)\n");
    await git("add", "--all");
    await commit("docs: a wrong link");
    const wrong = await release("--version", nextVersion(), "--no-build");
    expect([wrong.status, wrong.stderr]).toEqual([1, expect.stringContaining("The gate failed")]);
    expect(wrong.stdout).toContain('docs/new.md links to "gone.md"');
    await git("reset", "--quiet", "--hard", "HEAD~1");
    expect(await state()).toEqual(before);
  },
  240_000,
);

releaseTest(
  "takes everything back when a signal ends it after its first change",
  async () => {
    const before = await state();
    const command = [process.execPath, join(clone, "scripts/release.ts"), "--no-build"];
    const child = Bun.spawn([...command, "--version", nextVersion()], { stdout: "ignore", stderr: "pipe" });
    while (!existsSync(join(clone, "CHANGELOG.md")) && child.exitCode === null) await Bun.sleep(5);
    child.kill("SIGTERM");
    const [stderr, status] = await Promise.all([new Response(child.stderr).text(), child.exited]);
    expect([status, stderr]).toEqual([1, expect.stringContaining("ended by SIGTERM")]);
    expect(stderr).toContain("The release was taken back");
    expect(await state()).toEqual(before);
  },
  120_000,
);

releaseTest(
  "sets the version everywhere, commits and tags, and the next release begins there",
  async () => {
    const { status, stdout, stderr } = await release("--version", nextVersion(), "--no-build");
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toContain(`git push --atomic REMOTE main v${nextVersion()}`);
    expect(await git("status", "--porcelain")).toBe("");
    expect(await git("log", "-1", "--format=%s")).toBe(`build: release ${nextVersion()}\n`);
    const changed = (await git("diff", "--name-only", "HEAD~1")).trim().split("\n");
    expect(changed).toEqual([
      "CHANGELOG.md",
      "docs/man/flockcast-peer.1",
      "docs/man/flockcast-representative.1",
      "docs/man/flockcast-source.1",
      "package.json",
    ]);
    const section = (await readFile(join(clone, "CHANGELOG.md"), "utf8")).split("\n## ")[1]!;
    expect(section).toStartWith(`${nextVersion()} (`);
    expect(await git("tag", "--list", "--format=%(contents)", `v${nextVersion()}`)).toContain(
      "### Needs your attention\n\n- **source**: names\n",
    );
    for (const role of ["source", "peer", "representative"]) {
      const program = [process.execPath, join(clone, "roles", `${role}.ts`), "--version"];
      expect(await outputOf(program)).toBe(`${nextVersion()}\n`);
    }
    await commit("perf: faster");
    const later = await release("--version", nextVersion().replace(/3$/, "4"), "--dry-run");
    expect(later.stdout).toContain("### Faster\n\n- faster\n");
    expect(later.stdout).not.toContain("names");
  },
  240_000,
);

test("a set of files with a missing or an unexpected one is refused", () => {
  const sums = artifactNames("1.2.3").map((name) => `00  ${name}\n`);
  expect(() => checkArtifacts("1.2.3", sums.join(""))).not.toThrow();
  expect(() => checkArtifacts("1.2.3", `${sums.slice(1).join("")}00  flockcast-old\n`)).toThrow(
    `not made: ${artifactNames("1.2.3")[0]}; not expected: flockcast-old`,
  );
});

test("the documents name files of releases exactly as a release makes them, and every package", async () => {
  const wanted = new Set([...artifactNames("VERSION"), ...sumFiles]);
  const named = new Set<string>();
  const pages = ["README.md", ...new Bun.Glob("docs/**/*.md").scanSync({ cwd: root })];
  for (const page of pages) {
    const text = await readFile(join(root, page), "utf8");
    for (const [name] of text.matchAll(
      /\bflockcast[-.][\w.-]*?(?:\.(?:deb|rpm|msi|tar\.gz|exe|json)|-(?:linux|darwin)-[\w-]+)/g,
    ))
      named.add(name);
  }
  expect(named.size).toBeGreaterThan(10);
  const examples = new Set(["flockcast-peer.exe"]);
  expect([...named].filter((name) => !wanted.has(name) && !examples.has(name))).toEqual([]);
  const packages = [...wanted].filter((name) => name.includes("VERSION"));
  const text = (
    await Promise.all(
      ["linux", "windows", "macos"].map((name) => readFile(join(root, `docs/install/${name}.md`), "utf8")),
    )
  ).join("\n");
  const ofAgent = packages.filter((name) => name.startsWith("flockcast-peer"));
  expect(ofAgent.length).toBeGreaterThan(6);
  expect(ofAgent.filter((name) => !text.includes(name))).toEqual([]);
});
