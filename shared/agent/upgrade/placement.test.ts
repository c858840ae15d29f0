import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "bun:test";
import { buildTargets } from "../../../scripts/build/targets.ts";
import { executableFileName, pathsBeside } from "./executable.ts";
import { copyNext, discardNext, place, removeLeftovers } from "./placement.ts";

const folders: string[] = [];
afterEach(() => folders.splice(0).forEach((path) => rmSync(path, { recursive: true })));

function newExecutable(name = "agent"): { executable: string; from: string; folder: string } {
  const folder = mkdtempSync(join(tmpdir(), "flockcast-placement-"));
  folders.push(folder);
  const executable = join(folder, name);
  writeFileSync(executable, "old");
  chmodSync(executable, 0o750);
  const from = join(folder, "from-package");
  writeFileSync(from, "new", { mode: 0o644 });
  return { executable, from, folder };
}
const textOf = (path: string): string => readFileSync(path, "utf8");

test.each(buildTargets)("the file name for $name is that of the build", ({ name, suffix }) => {
  expect(executableFileName("flockcast-peer", name)).toBe(`flockcast-peer-${name}${suffix}`);
});

test("the files beside an executable keep the ending that Windows needs", () => {
  expect(pathsBeside("/opt/agent")).toEqual({ next: "/opt/agent.new", previous: "/opt/agent.previous" });
  expect(pathsBeside("C:\\agent.EXE")).toEqual({
    next: "C:\\agent.new.EXE",
    previous: "C:\\agent.previous.EXE",
  });
});

test("a removal takes the files of upgrades, and leaves the executable and those of other programs", async () => {
  for (const ending of ["", ".exe"]) {
    const { executable, folder } = newExecutable(`agent${ending}`);
    const made = ["new", "previous", "previous-1", "previous-7"].map((word) => `agent.${word}${ending}`);
    for (const name of [...made, `agent.previously${ending}`]) writeFileSync(join(folder, name), "");
    await removeLeftovers(executable);
    const kept = [`agent${ending}`, `agent.previously${ending}`, "from-package"];
    expect(readdirSync(folder).toSorted()).toEqual(kept.toSorted());
  }
});

test("the copy has the mode of the executable, which stays as it is", async () => {
  const { executable, from } = newExecutable();
  const { next } = pathsBeside(executable);
  writeFileSync(next, "left by an earlier upgrade, and longer");
  expect(await copyNext(from, executable)).toBe(next);
  expect([textOf(next), statSync(next).mode & 0o777]).toEqual(["new", 0o751]);
  expect([textOf(executable), statSync(executable).mode & 0o777]).toEqual(["old", 0o750]);
  await discardNext(executable);
  await discardNext(executable);
  expect(existsSync(next)).toBe(false);
});

describe.each([
  ["in one step", false],
  ["by two renames, as on Windows", true],
])("%s", (_, locksOpenFiles) => {
  test("the copy takes the executable's place, which stays as the previous one, and once is enough", async () => {
    const { executable, from } = newExecutable();
    const { next, previous } = pathsBeside(executable);
    writeFileSync(previous, "older");
    await copyNext(from, executable);
    for (let times = 0; times < 2; times++) {
      await place(executable, locksOpenFiles);
      expect([textOf(executable), textOf(previous), existsSync(next)]).toEqual(["new", "old", false]);
    }
  });

  test("a repetition after a power cut between its steps ends with the new executable", async () => {
    const { executable, from } = newExecutable();
    const { previous } = pathsBeside(executable);
    await copyNext(from, executable);
    if (locksOpenFiles) {
      writeFileSync(previous, "old");
      rmSync(executable);
      await place(executable, locksOpenFiles);
      expect(textOf(executable)).toBe("new");
    } else {
      writeFileSync(previous, "old");
      await place(executable, locksOpenFiles);
      expect([textOf(executable), textOf(previous)]).toEqual(["new", "old"]);
    }
  });
});
