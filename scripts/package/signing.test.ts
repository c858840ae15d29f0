/**
 * The recipe of docs/install/windows.md that signs the package for Windows and the executable in
 * it, with a certificate of the test. Another program checks both signatures.
 */
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "bun:test";
import { outputOf, runToEnd } from "../rig/process.ts";
import { programTest } from "../../tests/network-test.ts";
import { makePackages } from "./make-packages.ts";
import { msiPrograms } from "./msi.ts";

const signingTest = await programTest({
  ...msiPrograms,
  osslsigncode: "osslsigncode",
  msiextract: "msitools",
  openssl: "openssl",
});
const page = join(import.meta.dir, "../../docs/install/windows.md");

signingTest(
  "--sign-program of the documents signs the .msi and the executable in it",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "flockcast-signing-"));
    try {
      const at = (name: string): string => join(folder, name);
      const subject = ["-subj", "/CN=test", "-addext", "extendedKeyUsage=codeSigning", "-days", "10"];
      const files = ["-keyout", at("key.pem"), "-out", at("cert.pem")];
      await outputOf(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", ...files, ...subject]);
      const pair = ["-inkey", at("key.pem"), "-in", at("cert.pem"), "-out", at("key.p12")];
      await outputOf(["openssl", "pkcs12", "-export", ...pair, "-passout", "pass:secret"]);
      await writeFile(at("key.pass"), "secret\n");
      const script = /```\n(#!\/bin\/sh\n# sign\.sh[\s\S]*?)```/.exec(await readFile(page, "utf8"))![1]!;
      // The time stamp needs a service on the Internet.
      const local = script.replace(/ -ts \S+/, "").replaceAll("key.p", at("key.p"));
      expect(local).not.toBe(script);
      await writeFile(at("sign.sh"), local);
      await chmod(at("sign.sh"), 0o755);
      const [package_] = await makePackages(["msi"], ["x64"], at("out"), at("sign.sh"));
      await outputOf(["msiextract", "-C", at("files"), package_!]);
      const listed = await outputOf(["find", at("files"), "-name", "flockcast-peer.exe"]);
      for (const file of [package_!, listed.trim()]) {
        const { status, stdout } = await runToEnd([
          "osslsigncode",
          "verify",
          "-CAfile",
          at("cert.pem"),
          "-in",
          file,
        ]);
        expect([file, status]).toEqual([file, 0]);
        expect(stdout).toContain("Number of verified signatures: 1");
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
  240_000,
);
