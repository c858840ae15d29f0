/**
 * Packages that executables contain, by bun.lock: those that the project depends on outside of
 * development, and theirs in turn. Not a resolver: the lock file has decided.
 */
import { join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };

export type LockedPackage = {
  readonly name: string;
  readonly version: string;
  /** SHA-512 of the package, in hex. */
  readonly sha512: string;
  /** SPDX expression that the package states. */
  readonly license: string;
  /** Packages that it imports, each as `name@version`. */
  readonly dependencies: readonly string[];
};

type Needs = Readonly<Record<"dependencies" | "peerDependencies", Readonly<Record<string, string>>>> & {
  readonly optionalPeers: readonly string[];
};
type Entry = readonly [named: string, from: string, needs: Partial<Needs>, integrity: string];

const root = join(import.meta.dir, "..", "..");

/**
 * Returns the packages in the order of their names.
 * @throws Error when the lock file has no digest of a package, or what is installed differs from it
 */
export async function lockedPackages(): Promise<LockedPackage[]> {
  const lock = Bun.JSONC.parse(await Bun.file(join(root, "bun.lock")).text()) as {
    readonly packages: Readonly<Record<string, Entry>>;
  };
  const found = new Map<string, LockedPackage>();
  const places = Object.keys(packageJson.dependencies);
  for (const place of places) {
    const entry = lock.packages[place]!;
    if (found.has(entry[0])) continue;
    const needed = needsOf(entry)
      .map((name) => placeOf(lock.packages, place, name))
      .filter((one) => one !== null);
    const dependencies = needed.map((one) => lock.packages[one]![0]).toSorted();
    found.set(entry[0], await describe(place, entry, dependencies));
    places.push(...needed);
  }
  return [...found.values()].toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

export const keyOf = ({ name, version }: Pick<LockedPackage, "name" | "version">): string =>
  `${name}@${version}`;

const needsOf = ([, , needs]: Entry): string[] => {
  const optional = new Set(needs.optionalPeers);
  const peers = Object.keys(needs.peerDependencies ?? {}).filter((name) => !optional.has(name));
  return [...Object.keys(needs.dependencies ?? {}), ...peers];
};

/**
 * Returns the key of a dependency: below the package that needs it, or below one that contains that
 * package. Null for one that is not installed.
 */
function placeOf(packages: Readonly<Record<string, Entry>>, from: string, name: string): string | null {
  const folders = foldersOf(from);
  for (let depth = folders.length; depth >= 0; depth--) {
    const place = [...folders.slice(0, depth), name].join("/");
    if (Object.hasOwn(packages, place)) return place;
  }
  return null;
}

async function describe(place: string, entry: Entry, dependencies: string[]): Promise<LockedPackage> {
  const [named, , , integrity] = entry;
  const at = named.lastIndexOf("@");
  const version = named.slice(at + 1);
  if (!integrity?.startsWith("sha512-")) throw new Error(`bun.lock has no SHA-512 of ${named}`);
  const path = foldersOf(place).flatMap((name) => ["node_modules", name]);
  const installed = (await Bun.file(join(root, ...path, "package.json")).json()) as Record<string, unknown>;
  if (installed["version"] !== version)
    throw new Error(`${named} is not installed: run npm run check, which installs what bun.lock names`);
  if (typeof installed["license"] !== "string") throw new Error(`The package ${named} states no licence`);
  return {
    name: named.slice(0, at),
    version,
    sha512: Buffer.from(integrity.slice("sha512-".length), "base64").toString("hex"),
    license: installed["license"],
    dependencies,
  };
}

/** Splits a key of the lock file: "a/@b/c" is c of scope b, in the folder of a. */
const foldersOf = (place: string): string[] => place.match(/(?:@[^/]+\/)?[^/]+/g) ?? [];
