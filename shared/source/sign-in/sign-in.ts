/** Parts that signing in needs between requests: hashes in turn, failed attempts, the provider. */
import { AttemptLimit } from "./attempt-limit.ts";
import { PasswordHashes } from "./password-hashes.ts";
import { Provider } from "./provider.ts";
import { Sealer } from "./sealer.ts";

export type SignIn = {
  readonly hashes: PasswordHashes;
  readonly attempts: AttemptLimit;
  readonly provider: Provider;
  /** Seals what a browser keeps while a person is at the provider. */
  readonly sealer: Sealer;
};

export const createSignIn = (randomBytes: (count: number) => Uint8Array): SignIn => ({
  hashes: new PasswordHashes(),
  attempts: new AttemptLimit(),
  provider: new Provider(),
  sealer: new Sealer(randomBytes),
});
