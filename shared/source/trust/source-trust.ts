/**
 * The trust file at the source: its chain, and in the embedded mode the keys that sign. The source
 * stores what it is given only if the chain allows it, as every device does.
 */
import type { Catalog } from "../catalog/index.ts";
import type { Logger } from "../../log.ts";
import {
  beginTrust,
  extendTrust,
  filesAfter,
  rootFingerprint,
  signStatementOf,
  trustFileSchema,
  readPayload,
  type Signed,
  type TrustChain,
  type TrustFile,
} from "../../model/trust/index.ts";
import { Turns } from "./turns.ts";
import { createSigningKeys, signingKeysIn, writeSigningKeys, type SigningKeys } from "./signing-keys.ts";

type Options = {
  readonly catalog: Pick<Catalog, "trust" | "deployment">;
  readonly dataFolder: string;
  readonly nowMs: () => number;
  readonly log: Logger;
};

/** First trust file of a source that holds its keys. */
const firstFile = (deployment: number, keys: SigningKeys, nowMs: number): TrustFile => ({
  format: 1,
  deployment,
  version: 1,
  issuedAtMs: nowMs,
  embedded: true,
  root: { threshold: 1, keys: [keys.root.key] },
  publishers: [{ key: keys.publisher.key, packages: [] }],
  operators: [{ key: keys.operator.key, actions: [], target: "all", expiresAtMs: null }],
  orderThreshold: 1,
});

const rootsOf = (signed: Signed): TrustFile["root"] => readPayload(trustFileSchema, signed).root;

export class SourceTrust {
  readonly #options: Options;
  readonly #turns = new Turns();
  #chain: TrustChain;

  private constructor(options: Options, chain: TrustChain) {
    this.#options = options;
    this.#chain = chain;
  }

  /**
   * Opens the chain of a source, and begins one, with keys, at the first start.
   * @throws Error when the stored chain is broken
   */
  static async open(options: Options): Promise<SourceTrust> {
    const { catalog, dataFolder, nowMs } = options;
    const { trust, deployment } = catalog;
    const stored = await trust.files();
    const [first] = stored;
    if (first !== undefined) {
      const chain = beginTrust(stored, { deployment, root: rootFingerprint(rootsOf(first)) });
      const opened = new SourceTrust(options, chain);
      await opened.#warn();
      return opened;
    }
    const keys = (await signingKeysIn(dataFolder)) ?? (await createSigningKeys(dataFolder));
    const file = firstFile(deployment, keys, nowMs());
    const signed = signStatementOf("trust", file, [keys.root]);
    await trust.addFile(file.version, signed);
    return new SourceTrust(options, { files: [signed], current: file });
  }

  async #warn(): Promise<void> {
    const { dataFolder, log } = this.#options;
    const hasKeys = (await signingKeysIn(dataFolder)) !== null;
    if (this.file.embedded && !hasKeys)
      log.error("signing.keys is missing: nothing can be signed; restore the file from a backup");
    if (!this.file.embedded && hasKeys)
      log.error("the keys were exported, but signing.keys holds some: a restored backup? Remove the file");
  }

  get file(): TrustFile {
    return this.#chain.current;
  }

  /** SHA-256 of the present roots, which new tokens carry. */
  get root(): string {
    return rootFingerprint(this.file.root);
  }

  /** Versions above `version`. */
  filesAfter(version: number): Signed[] {
    return filesAfter(this.#chain, version);
  }

  /** Returns the source's own keys; null outside the embedded mode. */
  async keys(): Promise<SigningKeys | null> {
    return this.file.embedded ? signingKeysIn(this.#options.dataFolder) : null;
  }

  /**
   * Stores newer versions.
   * @returns whether there were any
   * @throws TrustError when one may not follow
   */
  extend(files: readonly Signed[]): Promise<boolean> {
    // Many devices hand versions back to a restored source at the same time.
    return this.#turns.take(() => this.#extend(files));
  }

  async #extend(files: readonly Signed[]): Promise<boolean> {
    const { catalog, log } = this.#options;
    const before = this.#chain;
    const after = extendTrust(before, files);
    for (const signed of after.files.slice(before.files.length)) {
      await catalog.trust.addFile(readPayload(trustFileSchema, signed).version, signed);
      this.#chain = extendTrust(this.#chain, [signed]);
    }
    if (after.current === before.current) return false;
    if (before.current.embedded && !after.current.embedded) await this.#giveUpKeys();
    log.warn({ version: after.current.version, root: this.root }, "the trust file has a new version");
    return true;
  }

  /** The keys live elsewhere from now on. */
  async #giveUpKeys(): Promise<void> {
    const { dataFolder, log } = this.#options;
    if ((await signingKeysIn(dataFolder)) === null) return;
    await writeSigningKeys(dataFolder, null);
    log.warn("the signing keys live elsewhere now: this source can no longer sign");
  }

  /**
   * Signs the next version with the source's root key and stores it.
   * @returns whether the source could sign
   */
  change(change: (file: TrustFile) => Partial<TrustFile>): Promise<boolean> {
    return this.#turns.take(async () => {
      const keys = await this.keys();
      if (keys === null) return false;
      const { file } = this;
      const next = { ...file, ...change(file), version: file.version + 1, issuedAtMs: this.#options.nowMs() };
      return this.#extend([signStatementOf("trust", next, [keys.root])]);
    });
  }
}
