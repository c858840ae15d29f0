/** Task of an agent for tests: a package to store, with the default setting. */
import type { AgentTask } from "../api/schema/agent.ts";
import { defaultSettingValues, type SettingValues } from "../model/setting.ts";

/** @param values instead of the default ones */
export const taskForTest = (values: Partial<SettingValues> = {}): AgentTask => ({
  id: 7,
  packageId: "ab".repeat(32),
  packageName: "tool",
  packageVersion: "1.0",
  action: "pre-cache",
  epoch: "",
  sequence: 0,
  createdAtMs: 1,
  command: null,
  run: null,
  startAtMs: 0,
  startIsLocal: false,
  deadlineAtMs: null,
  notWhile: [],
  after: null,
  afterEpoch: "",
  expiresAtMs: null,
  attempt: 1,
  paused: false,
  allowDowngrade: false,
  image: null,
  taskKey: btoa("0123456789abcdef"),
  packageKey: btoa("fedcba9876543210"),
  packageKeyBefore: null,
  setting: { name: "default", version: 1, parents: [], values: { ...defaultSettingValues, ...values } },
  overrides: false,
});
