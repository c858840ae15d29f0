/** A manifest, its signature or what a package was to be made of broke a rule; the message says which. */
export class ManifestError extends Error {
  override readonly name = "ManifestError";
  /** The sentence for a person, the same as `message`. */
  get reason(): string {
    return this.message;
  }
}
