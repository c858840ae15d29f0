/** World as the checkers read it. */
import type { Context } from "../context.ts";
import type { Machine } from "../machine.ts";

export type CheckedWorld = Context & { readonly machines: readonly Machine[] };
