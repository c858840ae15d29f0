/**
 * Parts that signing in needs between requests: hashes in turn, failed attempts, the provider, and
 * one-time links.
 */
import { AttemptLimit } from "./attempt-limit.ts";
import type { UserRecord } from "../catalog/index.ts";
import { OneTimeSecrets } from "./one-time-secrets.ts";
import { PasswordHashes } from "./password-hashes.ts";
import { Provider } from "./provider.ts";
import { Sealer } from "./sealer.ts";

export type SignIn = {
  readonly hashes: PasswordHashes;
  readonly attempts: AttemptLimit;
  readonly provider: Provider;
  /** Seals what a browser keeps while a person is at the provider. */
  readonly sealer: Sealer;
  /** Secret of the link for the set-up. */
  readonly setUps: OneTimeSecrets<true>;
  /** Links to sign in, each for the user as it was. */
  readonly links: OneTimeSecrets<UserRecord>;
};

export const createSignIn = (randomBytes: (count: number) => Uint8Array): SignIn => ({
  hashes: new PasswordHashes(),
  attempts: new AttemptLimit(),
  provider: new Provider(),
  sealer: new Sealer(randomBytes),
  setUps: new OneTimeSecrets(randomBytes),
  links: new OneTimeSecrets(randomBytes),
});
