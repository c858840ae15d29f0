/**
 * Makes a release: checks, changelog, version, manual pages, executables and packages, then commit
 * and tag. Everything before the commit is taken back when a step fails, or at Ctrl-C: the checkout
 * and the output folder are then as before.
 */
import { existsSync } from "node:fs";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { executableName, roleNames } from "../build/executable.ts";
import { readReleaseKey, sumsFile } from "../build/sums.ts";
import { buildTargets, nativeTargetName } from "../build/targets.ts";
import { compareVersions } from "../../shared/model/version-order.ts";
import { checkArtifacts } from "./artifacts.ts";
import { sectionOf, withSection } from "./changelog.ts";
import { openRepository, type Repository } from "./repository.ts";
import { Steps } from "./steps.ts";

export type ReleasePlan = {
  readonly root: string;
  readonly version: string;
  readonly isDryRun: boolean;
  /** Whether executables and packages are built. */
  readonly builds: boolean;
  /** Folder in which the release gets a folder of its own. */
  readonly out: string;
  /** File of the key that signs; null: nothing is signed. */
  readonly keyFile: string | null;
  /** Program that signs the files for Windows; null: they are not signed. */
  readonly signProgram: string | null;
  readonly print: (text: string) => void;
};

/** Files that a release changes. */
const changedFiles = [
  "CHANGELOG.md",
  "package.json",
  ...roleNames.map((role) => `docs/man/flockcast-${role}.1`),
] as const;

/** Bounds of the three numbers in the version of an .msi. */
const numbersMax = [255, 255, 65_535] as const;

const packageSchema = v.object({ version: v.string() });

type Prepared = {
  readonly tag: string;
  readonly branch: string;
  readonly head: string;
  readonly section: string;
  readonly epochSeconds: number;
};

/** @throws Error with what to do; nothing has changed then */
export async function makeRelease(plan: ReleasePlan): Promise<void> {
  const { root, version, print, isDryRun, builds } = plan;
  const repository = openRepository(root);
  using steps = new Steps(root);
  const prepared = await prepare(plan, repository);
  print(`${prepared.section}\nThe gate:`);
  await steps.run("The gate", ["scripts/check.ts"]);
  const folder = join(plan.out, prepared.tag);
  if (isDryRun) {
    const made = builds ? `, builds ${folder}` : "";
    return print(
      `Dry run: release ${version} changes ${changedFiles.join(", ")}${made}, and commits and tags.`,
    );
  }
  const staging = join(plan.out, `.${prepared.tag}`);
  try {
    await changeFiles(plan, repository, steps, prepared.section);
    if (builds) await buildFiles(plan, steps, staging, prepared.epochSeconds);
    steps.throwIfEnded();
    if (builds) await rename(staging, folder);
    await repository.commit(changedFiles, `build: release ${version}`, prepared.epochSeconds);
    await repository.tag(prepared.tag, prepared.section);
  } catch (error) {
    await repository.restore(prepared.head, changedFiles);
    for (const made of builds ? [staging, folder] : []) await rm(made, { recursive: true, force: true });
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${reason}\nThe release was taken back: checkout and ${plan.out} are as before.`, {
      cause: error,
    });
  }
  print(`\n${await summary(plan, prepared, repository, folder)}`);
}

/** Checks what can be checked before the work, and makes the section of the changelog. */
async function prepare(plan: ReleasePlan, repository: Repository): Promise<Prepared> {
  const { version, root } = plan;
  const tag = `v${version}`;
  const numbers = /^(\d+)\.(\d+)\.(\d+)$/.exec(version)?.slice(1);
  if (
    numbers === undefined ||
    numbers.some((text, at) => Number(text) > numbersMax[at]! || /^0\d/.test(text))
  )
    throw new Error(
      `"${version}" is not a version: write X.Y.Z, with at most ${numbersMax.join(", ")}, as an .msi has it`,
    );
  const changed = await repository.changedPaths();
  if (changed.length > 0)
    throw new Error(`The checkout has changes: commit or stash ${changed.slice(0, 5).join(", ")} first`);
  const branch = await repository.branch();
  const last = await repository.lastTag();
  if (await repository.hasTag(tag)) throw new Error(`The tag ${tag} exists: choose a higher version`);
  if (last !== null && compareVersions(version, last.slice(1)) <= 0)
    throw new Error(`Version ${version} is not above the last one, ${last.slice(1)}: choose a higher one`);
  const current = v.parse(packageSchema, JSON.parse(await readFile(join(root, "package.json"), "utf8")));
  if (compareVersions(version, current.version) < 0)
    throw new Error(`package.json has version ${current.version} already: choose a higher one`);
  if (plan.builds && existsSync(join(plan.out, tag)))
    throw new Error(`"${join(plan.out, tag)}" exists: remove it, or give another --out`);
  if (plan.keyFile !== null) await readReleaseKey(plan.keyFile);
  const epochSeconds = Math.floor(Date.now() / 1_000);
  const day = new Date(epochSeconds * 1_000).toISOString().slice(0, 10);
  const commits = await repository.commitsSince(last);
  const section = sectionOf({ version, day, commits, isFirst: last === null });
  return { tag, branch, head: await repository.head(), section, epochSeconds };
}

async function changeFiles(
  { root, version }: ReleasePlan,
  repository: Repository,
  steps: Steps,
  section: string,
): Promise<void> {
  const changelog = join(root, "CHANGELOG.md");
  const old = await readFile(changelog, "utf8").catch(() => null);
  await writeFile(changelog, withSection(old, section));
  const packageFile = join(root, "package.json");
  const text = await readFile(packageFile, "utf8");
  await writeFile(packageFile, text.replace(/^( {2}"version": )"[^"]*"/m, `$1"${version}"`));
  // The manual pages have the version; the command formats the project too.
  await steps.run("The manual pages", ["scripts/generate.ts", "man"]);
  const known: readonly string[] = changedFiles;
  const foreign = (await repository.changedPaths()).filter((path) => !known.includes(path));
  if (foreign.length > 0)
    throw new Error(`The release changed files that it should not: ${foreign.join(", ")}`);
  for (const role of roleNames) await checkVersion(steps, version, [process.execPath, `roles/${role}.ts`]);
}

/** Builds and packs with the commands that anybody uses, so that anybody can repeat it. */
async function buildFiles(
  plan: ReleasePlan,
  steps: Steps,
  staging: string,
  epochSeconds: number,
): Promise<void> {
  const { version, keyFile, signProgram } = plan;
  const env = { SOURCE_DATE_EPOCH: String(epochSeconds) };
  const signing = [
    ...(keyFile === null ? [] : ["--key", keyFile]),
    ...(signProgram === null ? [] : ["--sign-program", signProgram]),
  ];
  await rm(staging, { recursive: true, force: true });
  await steps.run("The build", ["scripts/build.ts", "--target", "all", "--out", staging, ...signing], env);
  await steps.run("The packages", ["scripts/package.ts", "--out", staging, ...signing], env);
  checkArtifacts(version, await readFile(join(staging, sumsFile), "utf8"));
  const native = buildTargets.find(({ name }) => name === nativeTargetName());
  for (const role of native === undefined ? [] : roleNames)
    await checkVersion(steps, version, [join(staging, executableName(role, native!))]);
}

async function checkVersion(steps: Steps, version: string, program: readonly string[]): Promise<void> {
  const found = (await steps.output([...program, "--version"])).trim();
  if (found !== version) throw new Error(`${program.at(-1)} has version "${found}" instead of ${version}`);
}

async function summary(
  plan: ReleasePlan,
  { tag, branch }: Prepared,
  repository: Repository,
  folder: string,
): Promise<string> {
  const commit = (await repository.head()).slice(0, 12);
  const signature = plan.keyFile === null ? "; nothing is signed" : ` and ${sumsFile}.sig`;
  const files = plan.builds ? `\n  all files of ${folder}, with ${sumsFile}${signature}` : "";
  return `Release ${plan.version} is made: commit ${commit}, tag ${tag}. Publish${files}
  git push --atomic REMOTE ${branch} ${tag}
with the first section of CHANGELOG.md as the text. To take it back before that:
  git tag --delete ${tag} && git reset --hard HEAD~1`;
}
