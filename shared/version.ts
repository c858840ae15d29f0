/**
 * The version of the project, from `package.json`. A compiled executable has no `package.json`, so
 * the build defines the constant `FLOCKCAST_VERSION` instead.
 */
import packageJson from "../package.json" with { type: "json" };

declare const FLOCKCAST_VERSION: string | undefined;

export const version: string =
  typeof FLOCKCAST_VERSION === "string" ? FLOCKCAST_VERSION : packageJson.version;
