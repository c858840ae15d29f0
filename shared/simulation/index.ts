/** A simulator of the whole: worlds from seeds, in which everything goes wrong, and checkers that watch. */
export { mutations, type Mutation, type WorldOptions } from "./env.ts";
export { faultNames, type FaultName } from "./faults.ts";
export { simulate, type Outcome } from "./run.ts";
export { createScenario, type Choice } from "./scenario.ts";
export { Violation } from "./violation.ts";
export { World } from "./world.ts";
