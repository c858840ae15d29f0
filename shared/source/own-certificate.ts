/**
 * Certificate that the source issues itself, `tls.crt` with the key `tls.key` in its data folder
 * (mode 0600): made at the first start and renewed when a third of its life is left.
 *
 * The key stays over renewals, so that devices need not ask for another statement. Files that
 * cannot be used are replaced: devices know the source by its identity key. A certificate from
 * elsewhere belongs into files of its own (tls-files.ts).
 */
import { createPrivateKey, generateKeyPairSync, X509Certificate, type KeyObject } from "node:crypto";
import { chmod, readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import type { Logger } from "../log.ts";
import { spkiSha256 } from "../net/web/tls-peer.ts";
import { dataFiles } from "./data-files.ts";
import { issueCertificate } from "./issue-certificate.ts";
import type { Tls } from "./listen.ts";
import { writePrivateFile } from "../platform/private-files.ts";

const dayMs = 86_400_000;
const lifeMs = 365 * dayMs;
const renewedBeforeEndMs = lifeMs / 3;
/** Clocks of browsers may be late by that time. */
const clockErrorMs = dayMs;
const checkMs = 3_600_000;

type OwnCertificateOptions = {
  readonly dataDir: string;
  /** Names that a certificate has to have. */
  readonly names: () => readonly string[];
  readonly nowMs: () => number;
  readonly log: Logger;
};

export class OwnCertificate {
  readonly #options: OwnCertificateOptions;
  readonly #keyFile: string;
  readonly #certFile: string;
  #timer: ReturnType<typeof setInterval> | null = null;
  #tls: Tls;

  private constructor(options: OwnCertificateOptions, tls: Tls) {
    this.#options = options;
    this.#keyFile = join(options.dataDir, dataFiles.tlsKey.name);
    this.#certFile = join(options.dataDir, dataFiles.tlsCertificate.name);
    this.#tls = tls;
  }

  /**
   * Reads the certificate, or issues one where it is missing, ends soon, or lacks a name.
   * @throws Error that names a file that cannot be read or written
   */
  static async open(options: OwnCertificateOptions): Promise<OwnCertificate> {
    const own = new OwnCertificate(options, { cert: "", key: "", spki: "" });
    await own.#refresh((certificate) => options.names().find((name) => !hasName(certificate, name)));
    return own;
  }

  /** Certificate and key in use. */
  get tls(): Tls {
    return this.#tls;
  }

  /** Renews the certificate when that is due; returns null otherwise. */
  async renew(): Promise<Tls | null> {
    const before = this.#tls.cert;
    // Names count at a start only: addresses that come and go would change the certificate often.
    await this.#refresh(() => undefined);
    return this.#tls.cert === before ? null : this.#tls;
  }

  /** Looks every hour whether the certificate is to be renewed. */
  watch(onChange: (tls: Tls) => Promise<void>): void {
    this.#timer = setInterval(() => {
      void this.renewWith(onChange);
    }, checkMs);
    this.#timer.unref();
  }

  /** Renews when that is due. A failure is logged, and the certificate in use stays. */
  async renewWith(onChange: (tls: Tls) => Promise<void>): Promise<void> {
    try {
      const tls = await this.renew();
      if (tls !== null) await onChange(tls);
    } catch (error) {
      this.#options.log.error(
        { error: (error as Error).message },
        "the certificate was not renewed: the certificate in use stays",
      );
    }
  }

  close(): void {
    if (this.#timer) clearInterval(this.#timer);
  }

  /** @param lackingOf returns a name that the certificate lacks */
  async #refresh(lackingOf: (certificate: X509Certificate) => string | undefined): Promise<void> {
    const { log, nowMs } = this.#options;
    const [keyText, certText] = [await textOf(this.#keyFile), await textOf(this.#certFile)];
    const key = keyText === null ? null : readKey(keyText);
    if (keyText !== null && key === null)
      log.warn({ file: this.#keyFile }, "not a P-256 key in PEM form: replaced by a new one");
    const certificate = key && certText !== null ? readCertificate(certText, key) : null;
    const why =
      certificate === null
        ? "there is no usable one"
        : dueReason(certificate, nowMs(), lackingOf(certificate));
    if (certificate !== null)
      this.#tls = { cert: certText!, key: keyText!, spki: spkiSha256(certificate.raw) };
    if (why === null) return;
    try {
      this.#tls = await this.#issue(key);
    } catch (error) {
      // A full disk; devices accept the old certificate.
      if (certificate === null) throw error;
      log.error(
        { file: this.#certFile, why, error: (error as Error).message },
        "the certificate was not renewed: the certificate in use stays",
      );
      return;
    }
    log.info({ file: this.#certFile, spki: this.#tls.spki, why }, "issued a TLS certificate");
  }

  async #issue(known: KeyObject | null): Promise<Tls> {
    const { names, nowMs } = this.#options;
    const privateKey = known ?? generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
    const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    const cert = issueCertificate({
      privateKey,
      commonName: "flockcast source",
      names: names(),
      notBeforeMs: nowMs() - clockErrorMs,
      notAfterMs: nowMs() + lifeMs,
    });
    if (known === null) await writePrivateFile(this.#keyFile, key);
    await writePrivateFile(this.#certFile, cert);
    return { cert, key, spki: spkiSha256(cert) };
  }
}

/** Reads a file and makes it private; null if it does not exist. */
async function textOf(file: string): Promise<string | null> {
  try {
    const text = await readFile(file, "utf8");
    await chmod(file, 0o600);
    return text;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new Error(`Cannot read "${file}": ${(error as Error).message}`, { cause: error });
  }
}

function readKey(pem: string): KeyObject | null {
  try {
    const key = createPrivateKey(pem);
    return key.asymmetricKeyDetails?.namedCurve === "prime256v1" ? key : null;
  } catch {
    return null;
  }
}

/** Returns null for a text that is not a certificate of the key. */
function readCertificate(pem: string, key: KeyObject): X509Certificate | null {
  try {
    const certificate = new X509Certificate(pem);
    return certificate.checkPrivateKey(key) ? certificate : null;
  } catch {
    return null;
  }
}

/** Returns why a certificate is replaced; null while it serves. */
function dueReason(certificate: X509Certificate, atMs: number, lacking: string | undefined): string | null {
  const [startMs, endMs] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
  if (!(startMs <= atMs)) return `it is valid from ${certificate.validFrom} on`;
  if (!(atMs < endMs - renewedBeforeEndMs)) return `it ends at ${certificate.validTo}`;
  return lacking === undefined ? null : `it lacks the name ${lacking}`;
}

const hasName = (certificate: X509Certificate, name: string): boolean =>
  isIP(name) === 0
    ? certificate.checkHost(name.replace(/^\*/, "any")) !== undefined
    : certificate.checkIP(name) !== undefined;
