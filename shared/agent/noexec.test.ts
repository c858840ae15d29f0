import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { runToEnd } from "../../scripts/rig/process.ts";
import { networkTest } from "../../tests/network-test.ts";
import { temporaryFolder } from "../model/testing.ts";
import { startableLine } from "./noexec.ts";

const noexecTest = networkTest("unshare", "mount");

/** Commands of a package on a file system that is mounted noexec, and what they print or throw. */
const cases: [command: string, outcome: string][] = [
  ["./install.sh a 'b c'", "sh ./install.sh a|b c"],
  ['"./install.sh" a', "sh ./install.sh a"],
  ["sub/install.sh && echo after", "sh sub/install.sh after"],
  ["sh ./install.sh a", "sh ./install.sh a"],
  ["./options.sh x", "sh ./options.sh x"],
  ["./program x", "Error: the command cannot be started: the file system of"],
  ["./program-missing || echo missing", "missing"],
  ["echo ./program", "./program"],
];

noexecTest(
  "on a file system that is mounted noexec, scripts run by their interpreter, and programs are refused",
  async () => {
    const { path, remove } = temporaryFolder("noexec");
    mkdirSync(join(path, "package"));
    const fill = `
      import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
      process.chdir(${JSON.stringify(join(path, "package"))});
      mkdirSync("sub");
      const script = '#!/bin/sh\\nIFS="|"; echo "sh $0 $*" | tr -d "\\\\n"\\n';
      for (const name of ["install.sh", "sub/install.sh"]) writeFileSync(name, script);
      writeFileSync("options.sh", script.replace("/bin/sh", "/bin/sh -e "));
      copyFileSync("/bin/true", "program");
      for (const name of ["install.sh", "sub/install.sh", "options.sh", "program"]) chmodSync(name, 0o755);
      const { commandsIn } = await import(${JSON.stringify(join(import.meta.dir, "task-command.ts"))});
      const outcomes = [];
      for (const command of ${JSON.stringify(cases.map(([command]) => command))}) {
        const request = { taskId: 1, key: "run 1.1", command, shell: null, environment: {}, timeoutMs: 10_000 };
        const rest = { folder: process.cwd(), signal: new AbortController().signal };
        outcomes.push(await commandsIn(${JSON.stringify(join(path, "tasks"))}).run({ ...request, ...rest }).then(
          ({ outputTail }) => outputTail,
          String,
        ));
      }
      console.log(JSON.stringify(outcomes));`;
    const inside = `mount -t tmpfs -o noexec tmpfs "$1/package" && exec "$2" -e "$3"`;
    const run = await runToEnd(["unshare", "-m", "sh", "-c", inside, "sh", path, process.execPath, fill]);
    remove();
    expect(run.stderr).toBe("");
    const outcomes = JSON.parse(run.stdout) as string[];
    for (const [index, [command, outcome]] of cases.entries())
      expect([command, outcomes[index]]).toEqual([command, expect.stringContaining(outcome)]);
  },
  30_000,
);

test("a command is left alone where programs may run", () => {
  const { path, remove } = temporaryFolder("exec");
  mkdirSync(join(path, "sub"));
  for (const name of ["install.sh", "sub/install.sh"]) {
    writeFileSync(join(path, name), "#!/bin/sh\n");
    chmodSync(join(path, name), 0o755);
  }
  for (const command of ["./install.sh a", "'sub/install.sh' b", "echo a/b", "install.sh", "./missing", ""])
    expect(startableLine(command, path)).toBe(command);
  remove();
});
