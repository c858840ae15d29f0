/**
 * Deterministic simulator: real devices in worlds drawn from a seed, with faults, and checkers that
 * test the invariants after every event. docs/TESTING.md describes faults, checkers and bounds.
 */
export type { WorldOptions } from "./context.ts";
export { faultNames, type FaultName } from "./faults.ts";
export { simulate, type Outcome } from "./run.ts";
export { createScenario, type Choice } from "./scenario.ts";
export { Violation } from "./violation.ts";
export { World } from "./world.ts";
