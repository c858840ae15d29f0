/** The functions of the boot image's first process that read its arguments, in a real shell. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatPin, formatToken } from "../../shared/api/token.ts";
import { pinIn } from "../image.ts";
import { runToEnd } from "../rig/process.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-arguments-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Returns the lines that a function prints under this command line of the kernel. */
async function lines(cmdline: string, ...words: readonly string[]): Promise<string[]> {
  const file = join(folder, "cmdline");
  await writeFile(file, `${cmdline}\n`);
  // A file that a pattern of the shell would match.
  await writeFile(join(folder, "flockcast.disk=model=Samsung-x"), "");
  const script = `cd "${folder}"; cmdline="${file}"; . "${join(import.meta.dir, "arguments.sh")}"; "$@"`;
  const { status, stdout, stderr } = await runToEnd(["sh", "-c", script, "sh", ...words]);
  expect([status, stderr]).toEqual([0, ""]);
  return stdout.split("\n").filter((line) => line !== "");
}

const posix = process.platform !== "win32";
const [identity, other] = ["1".repeat(64), "2".repeat(64)];
const tokenOf = (of: string): string =>
  formatToken({ kind: "enrolment", secret: "s".repeat(43), identity: of, root: "3".repeat(64) });

test.skipIf(!posix)("an argument keeps its value, also with = and patterns", async () => {
  const cmdline =
    "quiet flockcast.disk=model=Samsung*,min=200GB flockcast.source=https://[fd00::1]:7443 root=x";
  expect(await lines(cmdline, "argument", "disk")).toEqual(["model=Samsung*,min=200GB"]);
  expect(await lines(cmdline, "argument", "source")).toEqual(["https://[fd00::1]:7443"]);
  expect(await lines(cmdline, "argument", "token")).toEqual([]);
  expect(await lines(cmdline, "argument_problems")).toEqual([]);
});

test.skipIf(!posix)("an unknown or empty argument is named with those that exist", async () => {
  expect(await lines("flockcast.tokn=x flockcast.disk= flockcast.task", "argument_problems")).toEqual([
    '"flockcast.tokn" is not an argument of this boot image: it has flockcast.source flockcast.token flockcast.task flockcast.disk flockcast.interface flockcast.ip flockcast.group',
    '"flockcast.disk" has no value: write flockcast.disk=VALUE',
    '"flockcast.task" has no value: write flockcast.task=VALUE',
  ]);
  expect(await lines("flockcast.ip=10.0.0.1", "argument_problems")).toEqual([
    '"flockcast.ip=10.0.0.1" is not an address: write flockcast.ip=NAME:ADDRESS/BITS',
  ]);
  expect(await lines("flockcast.ip=eth0:10.77.0.1/24", "argument_problems")).toEqual([]);
});

test.skipIf(!posix)("a token has to be of the source that the boot image has", async () => {
  const pin = formatPin({ identity, root: null });
  expect(await lines("", "token_problem", tokenOf(identity), pin)).toEqual([]);
  expect(await lines("", "token_problem", tokenOf(other), "")).toEqual([]);
  expect(await lines("", "token_problem", tokenOf(other), pin)).toEqual([
    "the enrolment token is of another source than this boot image: make a boot image for that source",
  ]);
  const [line] = await lines("", "token_problem", "secret", pin);
  expect(line).toStartWith("the enrolment token is not one");
  expect(line).not.toContain("secret");
});

test("the boot files get the identity of a token, and nothing of its secret", () => {
  const pin = pinIn("enroll.token", `${tokenOf(identity)}\n`);
  expect(pin).toBe(formatPin({ identity, root: "3".repeat(64) }));
  expect(pinIn("pin", pin)).toBe(pin);
  expect(pin).not.toContain("sss");
  expect(() => pinIn("notes.txt", "hello")).toThrow('"notes.txt" has neither a token nor the identity');
});
