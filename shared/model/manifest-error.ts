/**
 * Error of a manifest, its signature or the files of a package. The message names the broken rule.
 */
export class ManifestError extends Error {
  override readonly name = "ManifestError";
  /** Sentence for a person; equal to `message`. */
  get reason(): string {
    return this.message;
  }
}
