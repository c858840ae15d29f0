/** A simulator of the whole: worlds from seeds with faults of every kind, and checkers that watch. */
export type { WorldOptions } from "./context.ts";
export { faultNames, type FaultName } from "./faults.ts";
export { simulate, type Outcome } from "./run.ts";
export { createScenario, type Choice } from "./scenario.ts";
export { Violation } from "./violation.ts";
export { World } from "./world.ts";
