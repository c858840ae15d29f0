/** Exports of target expressions for the rest of the program. */
export { matcherOf, truthOf, type TargetView, type Truth } from "./match-target.ts";
export { parseTarget } from "./parse-target.ts";
export { printTarget } from "./print-target.ts";
export { isWithinScope, targetInScope } from "./scope.ts";
export { TargetError, targetLengthMax, type Target } from "./target-expression.ts";
export { referencesOf, type TargetReferences } from "./target-references.ts";
export { targetWords } from "./target-words.ts";
export { isWithinTarget } from "./within-target.ts";
