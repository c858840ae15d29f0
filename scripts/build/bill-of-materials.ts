/**
 * Bill of materials of executables, in CycloneDX 1.6 (JSON): the runtime of each target and the
 * packages of the lock file, with digests, licences and package URLs.
 *
 * Equal builds give equal bytes, so it has no time of creation, and the serial number is derived
 * from the contents. Written by hand: a library would bring more packages than it describes.
 */
import packageJson from "../../package.json" with { type: "json" };
import { keyOf, lockedPackages, type LockedPackage } from "./lock-file.ts";
import { pinned } from "./runtimes.mjs";
import type { BuildTarget } from "./targets.ts";

export const billFile = "flockcast.cdx.json";

export type BuiltFile = { readonly name: string; readonly sha256: string; readonly target: BuildTarget };

type Hash = { readonly alg: "SHA-256" | "SHA-512"; readonly content: string };
type Component = {
  readonly type: "application" | "library" | "platform" | "file";
  readonly "bom-ref": string;
  readonly name: string;
  readonly version?: string;
  readonly description?: string;
  readonly scope?: "required";
  readonly hashes?: readonly Hash[];
  readonly licenses?: readonly { readonly license: { readonly id: string } }[];
  readonly purl?: string;
};
type Dependency = { readonly ref: string; readonly dependsOn: readonly string[] };

/** Returns the package URL (purl) of a package of npm. */
const purlOf = (name: string, version: string): string =>
  `pkg:npm/${name.replace(/^@/, "%40")}@${encodeURIComponent(version)}`;

const licensesOf = (id: string) => [{ license: { id } }];

const packageComponent = (one: LockedPackage): Component => ({
  type: "library",
  "bom-ref": purlOf(one.name, one.version),
  name: one.name,
  version: one.version,
  scope: "required",
  hashes: [{ alg: "SHA-512", content: one.sha512 }],
  licenses: licensesOf(one.license),
  purl: purlOf(one.name, one.version),
});

function runtimeComponent(name: string): Component {
  const { integrity, sha256 } = pinned.packages[name]!;
  const sha512 = Buffer.from(integrity.slice("sha512-".length), "base64").toString("hex");
  return {
    type: "platform",
    "bom-ref": purlOf(name, pinned.version),
    name,
    version: pinned.version,
    description: `The runtime Bun with the libraries in it, among them JavaScriptCore (LGPL-2.1). Its executable has the SHA-256 ${sha256}.`,
    scope: "required",
    hashes: [{ alg: "SHA-512", content: sha512 }],
    licenses: licensesOf(pinned.license),
    purl: purlOf(name, pinned.version),
  };
}

const fileComponent = ({ name, sha256 }: BuiltFile): Component => ({
  type: "file",
  "bom-ref": `file:${name}`,
  name,
  hashes: [{ alg: "SHA-256", content: sha256 }],
});

/** Returns the bill of materials as JSON. @param files executables */
export async function billOfMaterials(files: readonly BuiltFile[]): Promise<string> {
  const packages = await lockedPackages();
  const refs = new Map(packages.map((one) => [keyOf(one), purlOf(one.name, one.version)]));
  const runtimes = [...new Set(files.map(({ target }) => target.runtimePackage))].toSorted();
  const { name, version, license } = packageJson;
  const own: Component = {
    type: "application",
    "bom-ref": `${name}@${version}`,
    name,
    version,
    licenses: licensesOf(license),
  };
  const direct = Object.entries(packageJson.dependencies).map((entry) => refs.get(entry.join("@"))!);
  const dependencies: Dependency[] = [
    { ref: own["bom-ref"], dependsOn: direct.toSorted() },
    ...packages.map((one) => ({
      ref: purlOf(one.name, one.version),
      dependsOn: one.dependencies.map((key) => refs.get(key)!),
    })),
    ...runtimes.map((one) => ({ ref: purlOf(one, pinned.version), dependsOn: [] })),
    ...files.map((file) => ({
      ref: `file:${file.name}`,
      dependsOn: [own["bom-ref"], purlOf(file.target.runtimePackage, pinned.version)],
    })),
  ];
  const contents = {
    metadata: { component: own },
    components: [
      ...runtimes.map(runtimeComponent),
      ...packages.map(packageComponent),
      ...files.map(fileComponent),
    ],
    dependencies,
  };
  const bill = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify(contents))}`,
    version: 1,
    ...contents,
  };
  return `${JSON.stringify(bill, null, 2)}\n`;
}

/** Returns a UUID that is derived from a text (RFC 9562, version 8). */
function uuidOf(text: string): string {
  const bytes = Buffer.from(new Bun.CryptoHasher("sha256").update(text).digest()).subarray(0, 16);
  bytes[6] = 0x80 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
