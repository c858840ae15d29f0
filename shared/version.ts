/**
 * The one version of the project: `package.json` says it. An executable carries it as a constant, because there is
 * no `package.json` beside it: the build defines `FLOCKCAST_VERSION`.
 */
import packageJson from "../package.json" with { type: "json" };

declare const FLOCKCAST_VERSION: string | undefined;

export const version: string =
  typeof FLOCKCAST_VERSION === "string" ? FLOCKCAST_VERSION : packageJson.version;
