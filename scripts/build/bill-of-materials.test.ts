/** The bill of materials: rules of CycloneDX 1.6, and that nothing in an executable is missing. */
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "bun:test";
import * as v from "valibot";
import { billOfMaterials, type BuiltFile } from "./bill-of-materials.ts";
import { lockedPackages } from "./lock-file.ts";
import { pinned } from "./runtimes.mjs";
import { buildTargets } from "./targets.ts";

const root = join(import.meta.dir, "..", "..");
/** Licences of SPDX that a package here may have without a second look. */
const knownLicenses = ["Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"] as const;

const hashSchema = v.variant("alg", [
  v.strictObject({ alg: v.literal("SHA-256"), content: v.pipe(v.string(), v.regex(/^[a-f0-9]{64}$/)) }),
  v.strictObject({ alg: v.literal("SHA-512"), content: v.pipe(v.string(), v.regex(/^[a-f0-9]{128}$/)) }),
]);
const componentSchema = v.strictObject({
  type: v.picklist(["application", "library", "platform", "file"]),
  "bom-ref": v.pipe(v.string(), v.minLength(1)),
  name: v.pipe(v.string(), v.minLength(1)),
  version: v.optional(v.pipe(v.string(), v.maxLength(1_024))),
  description: v.optional(v.string()),
  scope: v.optional(v.literal("required")),
  hashes: v.optional(v.array(hashSchema)),
  licenses: v.optional(
    v.array(v.strictObject({ license: v.strictObject({ id: v.picklist(knownLicenses) }) })),
  ),
  purl: v.optional(v.pipe(v.string(), v.regex(/^pkg:npm\/(%40[a-z0-9._-]+\/)?[a-z0-9._-]+@[\w.+-]+$/))),
});
/** The part of the schema of CycloneDX 1.6 that a bill of this project uses. */
const billSchema = v.strictObject({
  $schema: v.literal("http://cyclonedx.org/schema/bom-1.6.schema.json"),
  bomFormat: v.literal("CycloneDX"),
  specVersion: v.literal("1.6"),
  serialNumber: v.pipe(v.string(), v.regex(/^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)),
  version: v.pipe(v.number(), v.integer(), v.minValue(1)),
  metadata: v.strictObject({ component: componentSchema }),
  components: v.array(componentSchema),
  dependencies: v.array(v.strictObject({ ref: v.string(), dependsOn: v.array(v.string()) })),
});

const target = (name: string) => buildTargets.find((one) => one.name === name)!;
const files: BuiltFile[] = [
  { name: "flockcast-peer-linux-x64", sha256: "1".repeat(64), target: target("linux-x64") },
  { name: "flockcast-peer-windows-x64.exe", sha256: "2".repeat(64), target: target("windows-x64") },
];
let bill: v.InferOutput<typeof billSchema>;
beforeAll(async () => {
  bill = v.parse(billSchema, JSON.parse(await billOfMaterials(files)));
});

describe("a bill of materials", () => {
  test("names every component once, and depends on named ones only", () => {
    const refs = [bill.metadata.component, ...bill.components].map((one) => one["bom-ref"]);
    expect(refs.toSorted()).toEqual([...new Set(refs)].toSorted());
    expect(bill.dependencies.map(({ ref }) => ref).toSorted()).toEqual(refs.toSorted());
    expect(
      bill.dependencies.flatMap(({ dependsOn }) => dependsOn).filter((ref) => !refs.includes(ref)),
    ).toEqual([]);
    for (const { dependsOn } of bill.dependencies) expect(new Set(dependsOn).size).toBe(dependsOn.length);
  });

  test("has every executable with its digest, runtime and the project", () => {
    for (const { name, sha256, target: of } of files) {
      expect(bill.components).toContainEqual({
        type: "file",
        "bom-ref": `file:${name}`,
        name,
        hashes: [{ alg: "SHA-256", content: sha256 }],
      });
      const runtime = `pkg:npm/${of.runtimePackage.replace("@", "%40")}@${pinned.version}`;
      expect(bill.dependencies.find(({ ref }) => ref === `file:${name}`)!.dependsOn).toEqual([
        bill.metadata.component["bom-ref"],
        runtime,
      ]);
      const component = bill.components.find((one) => one.purl === runtime)!;
      expect(component).toMatchObject({ type: "platform", licenses: [{ license: { id: "MIT" } }] });
      expect(component.description).toContain(pinned.packages[of.runtimePackage]!.sha256);
    }
  });

  test("has every package that is bundled, with the version, digest and licence of what is installed", async () => {
    const built = await Bun.build({
      entrypoints: ["source", "peer", "representative"].map((role) => join(root, "roles", `${role}.ts`)),
      target: "bun",
      metafile: true,
    });
    const folders = Object.keys(built.metafile!.inputs).flatMap(
      (path) => /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? [],
    );
    const bundled = new Set<string>();
    for (const folder of new Set(folders)) {
      const { name, version, license } = await Bun.file(join(process.cwd(), folder, "package.json")).json();
      bundled.add(`${name}@${version} ${license}`);
    }
    const listed = new Set(
      bill.components.map((one) => `${one.name}@${one.version} ${one.licenses?.[0]?.license.id}`),
    );
    expect(bundled.size).toBeGreaterThan(30);
    expect([...bundled].filter((one) => !listed.has(one))).toEqual([]);
    const lock = await Bun.file(join(root, "bun.lock")).text();
    for (const { name, version, sha512 } of await lockedPackages())
      expect(lock).toMatch(
        new RegExp(
          `"${name}@${version}", .*"sha512-${Buffer.from(sha512, "hex").toString("base64").replaceAll("+", "\\+")}"`,
        ),
      );
  });

  test("is the same for the same files, and has another serial number for others", async () => {
    expect(await billOfMaterials(files)).toBe(await billOfMaterials(files));
    const other = JSON.parse(await billOfMaterials(files.slice(0, 1)));
    expect(other.serialNumber).not.toBe(bill.serialNumber);
  });
});
