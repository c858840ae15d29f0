/**
 * The version of the project, from `package.json`, and the target of a standalone executable. A
 * compiled executable has no `package.json`, so the build defines two constants instead.
 */
import packageJson from "../package.json" with { type: "json" };

declare const FLOCKCAST_VERSION: string | undefined;
declare const FLOCKCAST_TARGET: string | undefined;

export const version: string =
  typeof FLOCKCAST_VERSION === "string" ? FLOCKCAST_VERSION : packageJson.version;

/** Name of the build's target, such as "linux-x64-musl"; null for a program run by `bun`. */
export const buildTarget: string | null = typeof FLOCKCAST_TARGET === "string" ? FLOCKCAST_TARGET : null;
