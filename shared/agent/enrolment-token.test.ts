/** Ways to give an enrolment token, with real files. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readEnrolmentToken } from "./enrolment-token.ts";

let folder = "";
let file = "";
let warnings: string[] = [];
const log = {
  warn: (...words: unknown[]) => void warnings.push(String(words.at(-1))),
} as never;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "flockcast-token-"));
  file = join(folder, "enroll.token");
  writeFileSync(file, "fc-token\n", { mode: 0o600 });
  warnings = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

test("reads the file of the command line before that of the environment", async () => {
  const environment = { FLOCKCAST_ENROLL_FILE: file };
  expect(await readEnrolmentToken({}, log, environment)).toEqual({ text: "fc-token" });
  const other = join(folder, "other");
  writeFileSync(other, "other", { mode: 0o600 });
  expect(await readEnrolmentToken({ enrollFile: other }, log, environment)).toEqual({ text: "other" });
  expect(warnings).toEqual([]);
});

test("warns of a token on the command line", async () => {
  expect(await readEnrolmentToken({ enroll: "fc-token" }, log, {})).toEqual({ text: "fc-token" });
  expect(warnings).toEqual([expect.stringContaining("use --enroll-file FILE instead")]);
});

test("takes no token from a file that other users can read", async () => {
  chmodSync(file, 0o644);
  expect(await readEnrolmentToken({ enrollFile: file }, log, {})).toEqual({
    text: null,
    problem: expect.stringContaining(`chmod 600 "${file}"`),
  });
  expect(warnings).toEqual([expect.stringContaining("can be used by other users (mode 0644)")]);
});

test("says why a missing or empty file gives no token, without a warning", async () => {
  writeFileSync(file, " \n");
  expect(await readEnrolmentToken({ enrollFile: file }, log, {})).toMatchObject({
    problem: expect.stringContaining("is empty"),
  });
  rmSync(file);
  expect(await readEnrolmentToken({ enrollFile: file }, log, {})).toMatchObject({
    problem: expect.stringContaining("ENOENT"),
  });
  expect(await readEnrolmentToken({}, log, {})).toEqual({ text: null, problem: null });
  expect(warnings).toEqual([]);
});
