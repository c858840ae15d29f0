/**
 * The command lines of all three programs, in their common parts: JSON, completions in real shells,
 * manual pages, help and exit statuses.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { manualFolder, manualPages, programTrees } from "../scripts/generate/man.ts";
import { installPrograms } from "../scripts/rig/debian.ts";
import { runToEnd } from "../scripts/rig/process.ts";
import { allCommands } from "../shared/command-line/command-tree.ts";
import { shellNames } from "../shared/command-line/completion.ts";

const root = join(import.meta.dir, "..");
const trees = programTrees();
const programOf = (name: string): string => join(import.meta.dir, `${name.replace("flockcast-", "")}.ts`);
const runProgram = (name: string, ...words: string[]) =>
  runToEnd([process.execPath, programOf(name), ...words], {});

const missing =
  process.platform === "linux"
    ? await installPrograms({ zsh: "zsh", fish: "fish", mandoc: "mandoc" })
    : "only on Linux";
if (missing !== null && process.env["CI"] === "true" && process.platform === "linux")
  throw new Error(`with CI=true the shells have to be tested: ${missing}`);
if (missing !== null) console.log(`shells and mandoc are not tested: ${missing}`);
const has = (program: string): boolean => Bun.which(program) !== null;

/** Commands without data: they log, or print a script or a help page. */
const withoutData = new Set(["serve", "run", "completion", "help"]);

/** Commands whose description reads like that of a list, and which show one thing. */
const noList = new Set(["trust show", "oidc show", "task output"]);

describe.each(trees)("$tree.name", ({ tree, facts }) => {
  const leaves = allCommands(tree).filter(({ commands }) => commands.length === 0);

  test("has --json on every command that prints data", () => {
    const without = leaves.filter(({ options }) => !options.some(({ flags }) => flags.includes("--json")));
    const unexpected = without.map(({ path }) => path.join(" ")).filter((name) => !withoutData.has(name));
    expect(unexpected).toEqual([]);
    expect(leaves.length).toBeGreaterThan(5);
  });

  test("has --csv on every list", () => {
    const lists = leaves.filter(
      ({ path, description }) => path.at(-1) === "list" || /^(all|the) .*s\b/.test(description),
    );
    const without = lists.filter(({ options }) => !options.some(({ flags }) => flags.includes("--csv")));
    expect(without.map(({ path }) => path.join(" ")).filter((name) => !noList.has(name))).toEqual([]);
    expect(lists.length).toBeGreaterThan(0);
  });

  test("describes every command and every option", () => {
    for (const { name, description, options } of allCommands(tree)) {
      expect(`${name}: ${description}`).toMatch(/: ./);
      for (const { flags, description: words } of options)
        if (!["--role", "--key"].includes(flags.at(-1)!)) expect(`${name} ${flags}: ${words}`).toMatch(/: ./);
    }
  });

  test("prints the help of a command of any depth, and exit statuses and environment at the end", async () => {
    const { path } = leaves.find((one) => one.path.length === 2)!;
    const [asHelp, asOption] = await Promise.all([
      runProgram(tree.name, "help", ...path),
      runProgram(tree.name, ...path, "--help"),
    ]);
    expect(asHelp).toEqual(asOption);
    expect(asHelp.stdout).toStartWith(`Usage: ${tree.name} ${path.join(" ")} `);
    const { stdout } = await runProgram(tree.name, "--help");
    for (const [name, text] of [...facts.exitStatuses, ...facts.environment]) {
      expect(stdout).toContain(name);
      expect(stdout).toContain(text);
    }
  });

  test("names the help after a wrong word, with exit status 2", async () => {
    const { path } = leaves.find((one) => one.path.length === 2)!;
    const { status, stderr, stdout } = await runProgram(tree.name, ...path, "--no-such-option");
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr.trim().split("\n").at(-1)).toBe(`try: ${tree.name} ${path.join(" ")} --help`);
    expect((await runProgram(tree.name, "help", "nothing")).status).toBe(2);
  });

  test("has the manual page that its command line makes", async () => {
    const page = `${tree.name}.1`;
    expect(await readFile(join(manualFolder, page), "utf8")).toBe(manualPages().get(page)!);
  });

  test.skipIf(!has("mandoc"))("has a manual page without a complaint of mandoc", async () => {
    const path = join(manualFolder, `${tree.name}.1`);
    const { stdout, status } = await runToEnd(["mandoc", "-T", "lint", "-W", "warning", path], {});
    expect([stdout, status]).toEqual(["", 0]);
  });
});

test("docs/OPERATIONS.md lists every exit status and every variable of the programs", async () => {
  const text = await readFile(join(root, "docs/OPERATIONS.md"), "utf8");
  for (const { facts } of trees) {
    for (const [status, words] of facts.exitStatuses) expect(text).toMatch(rowOf(status, words));
    for (const [name, words] of facts.environment) expect(text).toMatch(rowOf(name, words));
  }
});

const plain = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
const rowOf = (name: string, words: string): RegExp =>
  new RegExp(String.raw`\| \`${plain(name)}\` +\| .*${plain(words)}`);

describe("completion", () => {
  let folder: string;
  const scriptOf = (shell: string): string => join(folder, `source.${shell}`);
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "flockcast-completion-"));
    for (const shell of shellNames)
      await writeFile(scriptOf(shell), (await runProgram("flockcast-source", "completion", shell)).stdout);
    await writeFile(join(folder, "secret.token"), "");
  });
  afterAll(() => rm(folder, { recursive: true }));

  /** The last word is the one to complete. */
  const cases: readonly (readonly [words: readonly string[], expected: readonly string[]])[] = [
    [["ta"], ["task"]],
    [["task", "cr"], ["create"]],
    [
      ["task", "create", "--action", ""],
      ["pre-cache", "run", "upgrade", "image"],
    ],
    // The value of an option is not a command.
    [["package", "--help", "list", "--js"], ["--json"]],
    [["--version", "setting", "zzz"], []],
    [["task", "create", "--source", "task", "--targ"], ["--target"]],
    [["task", "create", "--token-file", "secr"], ["secret.token"]],
    [
      ["completion", ""],
      ["bash", "zsh", "fish"],
    ],
  ];

  test.skipIf(!has("bash"))("offers commands, options, choices and files in bash", async () => {
    for (const [words, expected] of cases) {
      const line = ["flockcast-source", ...words].map((word) => `'${word}'`).join(" ");
      const script = `cd ${folder}; source ${scriptOf("bash")}; COMP_WORDS=(${line}); COMP_CWORD=${words.length}
        $(complete -p flockcast-source | sed 's/.*-F \\([^ ]*\\).*/\\1/'); printf '%s\\n' "\${COMPREPLY[@]}"`;
      const { stdout, stderr } = await runToEnd(["bash", "--norc", "-c", script], {});
      expect({ words, found: stdout.split("\n").filter(Boolean), stderr }).toEqual({
        words,
        found: [...expected],
        stderr: "",
      });
    }
  });

  test.skipIf(!has("fish"))("offers commands, options, choices and files in fish", async () => {
    for (const [words, expected] of cases) {
      const line = ["flockcast-source", ...words].join(" ");
      const script = `cd ${folder}; source ${scriptOf("fish")}; complete -C "${line}"`;
      const { stdout } = await runToEnd(["fish", "--no-config", "-c", script], { env: { HOME: folder } });
      const found = stdout.split("\n").map((row) => row.split("\t")[0]!);
      expect({ words, found: found.filter(Boolean).toSorted() }).toEqual({
        words,
        found: [...expected].toSorted(),
      });
    }
  });

  test.skipIf(!has("zsh"))(
    "offers commands and choices in zsh, on a terminal",
    async () => {
      const shown = await zshCompletions("flockcast-source task create --action ");
      for (const choice of ["pre-cache", "run", "upgrade", "image"]) expect(shown).toContain(choice);
      expect(await zshCompletions("flockcast-source task re")).toMatch(
        /resume[^]*retry[^]*remove|remove[^]*retry/,
      );
    },
    60_000,
  );

  /** Returns what an interactive zsh shows after a line and a tab. */
  async function zshCompletions(line: string): Promise<string> {
    let shown = "";
    const child = Bun.spawn(["zsh", "-f", "-i"], {
      cwd: folder,
      env: { PATH: process.env["PATH"], HOME: folder, TERM: "xterm" },
      terminal: { cols: 200, rows: 50, data: (_, bytes) => void (shown += bytes.toString()) },
    });
    const until = async (text: string): Promise<void> => {
      for (let tries = 0; !shown.includes(text) && tries < 400; tries++) await Bun.sleep(25);
    };
    const setUp = `autoload -U compinit; compinit -u -D; source ${scriptOf("zsh")}; bindkey '^I' list-choices`;
    child.terminal!.write(`PROMPT=; ${setUp}; echo REA""DY\n`);
    await until("READY");
    shown = "";
    child.terminal!.write(`${line}\t`);
    await until("re");
    // The list follows the echo of the line.
    for (let last = -1; last !== shown.length; await Bun.sleep(500)) last = shown.length;
    const text = Bun.stripANSI(shown).replace(line, "");
    child.kill("SIGKILL");
    await child.exited;
    return text;
  }
});
