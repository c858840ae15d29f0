import { expect, test } from "bun:test";
import { defaultSettingValues } from "../model/setting.ts";
import { endOfCommand } from "./command-outcome.ts";

const values = { ...defaultSettingValues, commandTimeoutMs: 90_000, commandSuccessExitCodes: [0, 3_010] };
const complete = { life: "complete", reason: "" } as const;
const failed = (reason: string) => ({ life: "failed", reason }) as const;

test.each([
  ["succeeds with exit code 0", 0, false, complete],
  ["succeeds with another code of the setting", 3_010, false, complete],
  [
    "fails with a code that the setting does not have",
    1,
    false,
    failed("the command ended with exit code 1: its output is in tasks/7.log"),
  ],
  [
    "fails when it was killed",
    null,
    false,
    failed("the command ended with exit code none (killed): its output is in tasks/7.log"),
  ],
  ["fails when it ran too long", null, true, failed("the command ran longer than 90 s and was ended")],
  [
    "fails when it ran too long, whatever its exit code",
    0,
    true,
    failed("the command ran longer than 90 s and was ended"),
  ],
])("a command %s", (_, exitCode, timedOut, end) => {
  expect(endOfCommand(7, { exitCode, timedOut, outputTail: "" }, values)).toEqual(end);
});

test("a command does not succeed with code 0 when the setting leaves it out", () => {
  const outcome = { exitCode: 0, timedOut: false, outputTail: "" };
  expect(endOfCommand(7, outcome, { ...values, commandSuccessExitCodes: [3_010] }).life).toBe("failed");
});
