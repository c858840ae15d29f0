/** The facts of a device, for tests of targets and trust. */
import type { TargetView } from "./index.ts";

/** Returns a device's own view of itself, which cannot tell the results of other tasks. */
export const selfOf = (given: Partial<TargetView> = {}): TargetView => ({
  isPartial: true,
  id: "00112233aabbccdd",
  names: ["pc-1"],
  tags: [],
  subnet: { id: "", cidr: "10.0.0.0/24", name: null },
  site: null,
  os: "linux 6.1",
  arch: "x64",
  agentVersion: "0.1.0",
  resultIn: () => null,
  versionsOf: () => null,
  ...given,
});
