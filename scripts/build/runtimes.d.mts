/** Types of runtimes.mjs, which is plain JavaScript. */

type PinnedRuntime = {
  /** SHA-512 of the package, in the form of npm. */
  readonly integrity: string;
  /** Path of the executable in the package. */
  readonly executable: string;
  /** SHA-256 of the executable, in hex. */
  readonly sha256: string;
};
export const pinned: {
  readonly version: string;
  readonly license: string;
  readonly packages: Readonly<Record<string, PinnedRuntime>>;
};
export class RuntimeError extends Error {}
export function packagesOfHost(): string[];
export function sha256Of(path: string): string | null;
export function keptRuntime(name: string, folder: string): string | null;
export function fetchRuntime(name: string, folder: string, note?: (text: string) => void): string;
