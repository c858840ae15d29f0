/**
 * The source of the year: a real one with TLS in this process, on a clock that the test sets. The
 * source can be backed up, restored in its place, and get another certificate while it runs.
 */
import { createWriteStream } from "node:fs";
import { copyFile, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createAdminClient, type AdminClient } from "../../shared/api/agent-client.ts";
import { makeCertificate, type CertificateFiles } from "../../shared/api/testing-certificates.ts";
import { createLogger } from "../../shared/log.ts";
import { signed } from "../../shared/model/signing.ts";
import { restore } from "../../shared/source/backup/restore.ts";
import { dataFiles } from "../../shared/source/data-files.ts";
import { loadTls } from "../../shared/source/listen.ts";
import { digestPath } from "../../shared/source/publishing/digest-files.ts";
import { loadOrCreatePublisherKey } from "../../shared/source/publishing/publisher-key.ts";
import { startSource, type RunningSource } from "../../shared/source/server.ts";

export type Clock = { nowMs: number };

export class FleetSource {
  readonly clock: Clock;
  readonly #folder: string;
  readonly #certificate: CertificateFiles;
  #certificates = 1;
  #running: RunningSource | null = null;
  #port = 0;
  #admin: AdminClient | null = null;
  enrollToken = "";

  private constructor(folder: string, clock: Clock, certificate: CertificateFiles) {
    this.#folder = folder;
    this.clock = clock;
    this.#certificate = certificate;
  }

  static async open(clock: Clock): Promise<FleetSource> {
    const folder = await mkdtemp(join(tmpdir(), "flockcast-year-"));
    const source = new FleetSource(folder, clock, await makeCertificate(folder, { name: "used" }));
    await source.#start();
    return source;
  }

  get #dataDir(): string {
    return join(this.#folder, "data");
  }

  get #backupFile(): string {
    return join(this.#folder, "backup.tar");
  }

  get url(): string {
    return this.#running!.url;
  }

  get admin(): AdminClient {
    return this.#admin!;
  }

  async #start(): Promise<void> {
    this.#running = await startSource({
      dataDir: this.#dataDir,
      listen: { host: "127.0.0.1", port: this.#port },
      tls: { kind: "files", ...this.#certificate },
      log: createLogger("source", "silent"),
      nowMs: () => this.clock.nowMs,
      // A timer would end a task at another place of the year in each run.
      worksOnTimers: false,
    });
    this.#port = Number(new URL(this.url).port);
    const read = (name: string): Promise<string> => readFile(join(this.#dataDir, name), "utf8");
    this.enrollToken = await read(dataFiles.enrollToken.name);
    this.#admin = createAdminClient({ sourceUrl: this.url, token: await read(dataFiles.adminToken.name) });
  }

  /** Does the periodic work of the source. */
  doPeriodicWork(): Promise<void> {
    return this.#running!.doPeriodicWork();
  }

  /** Publishes a package of a few bytes, and returns its id. */
  async publish(name: string, version: string): Promise<string> {
    const file = join(this.#folder, `${name}-${version}.bin`);
    await writeFile(file, `${name} ${version}\n`.repeat(100));
    const { bytes } = await digestPath(file, { name, version });
    const key = await loadOrCreatePublisherKey(join(this.#folder, "publisher.key"));
    const { packageId, contentNeeded } = await this.admin.publish(signed(bytes, key));
    if (contentNeeded) await this.admin.putContent(packageId, Bun.file(file).stream());
    return packageId;
  }

  /** Writes a backup over the last one. */
  async backUp(): Promise<void> {
    const archive = await this.admin.backup(true);
    await pipeline(Readable.fromWeb(archive as never), createWriteStream(this.#backupFile));
  }

  /** Puts the last backup in the place of the running source. */
  async restore(): Promise<void> {
    await this.#running!.stop();
    await restore({
      file: this.#backupFile,
      dataFolder: this.#dataDir,
      replaces: true,
      pausesTasks: false,
      nowMs: this.clock.nowMs,
    });
    await this.#start();
  }

  /** Replaces the files of certificate and key; the running source reads them later. */
  async renewCertificate(): Promise<void> {
    const next = await makeCertificate(this.#folder, { name: `renewed-${++this.#certificates}` });
    for (const file of ["keyFile", "certFile"] as const) {
      await copyFile(next[file], `${this.#certificate[file]}.new`);
      await rename(`${this.#certificate[file]}.new`, this.#certificate[file]);
    }
  }

  /** Waits until the source uses the certificate in the files. */
  async certificateInUse(): Promise<void> {
    const deadlineMs = performance.now() + 60_000;
    const wanted = await this.certificateSpki();
    while ((await this.admin.statement()).tlsSpki !== wanted) {
      if (performance.now() > deadlineMs) throw new Error("the source does not use the new certificate");
      await Bun.sleep(200);
    }
  }

  /** Key of the certificate in the files. */
  async certificateSpki(): Promise<string> {
    return (await loadTls(this.#certificate.certFile, this.#certificate.keyFile)).spki;
  }

  async close(): Promise<void> {
    await this.#running?.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
