/** Keys and statements for tests of trust. */
import { generateKeyPairSync } from "node:crypto";
import {
  parseSigningKey,
  signStatementOf,
  type Signed,
  type SigningKey,
  type TaskOrder,
  type TrustFile,
} from "./index.ts";

export const newSigningKey = (): SigningKey =>
  parseSigningKey(
    generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  );

export const trustFileOf = (
  { root, publisher, operator }: { root: SigningKey; publisher: SigningKey; operator: SigningKey },
  given: Partial<TrustFile> = {},
): TrustFile => ({
  format: 1,
  deployment: 7,
  version: 1,
  issuedAtMs: 1_800_000_000_000,
  embedded: false,
  root: { threshold: 1, keys: [root.key] },
  publishers: [{ key: publisher.key, packages: [] }],
  operators: [{ key: operator.key, actions: [], target: "all", expiresAtMs: null }],
  orderThreshold: 1,
  ...given,
});

export const signedTrust = (file: TrustFile, ...keys: SigningKey[]): Signed =>
  signStatementOf("trust", file, keys);

export const taskOrderOf = (given: Partial<TaskOrder> = {}): TaskOrder => ({
  format: 1,
  deployment: 7,
  sequence: 1_800_000_000_000,
  issuedAtMs: 1_800_000_000_000,
  taskId: 1,
  epoch: "00000000000000aa",
  createdAtMs: 1_800_000_000_000,
  packageId: "ab".repeat(32),
  packageName: "editor",
  packageVersion: "4.2",
  action: "run",
  command: "./install.sh",
  run: null,
  allowDowngrade: false,
  after: null,
  afterEpoch: "",
  notWhile: [],
  setting: null,
  target: "all",
  startAtMs: 1_800_000_000_000,
  startIsLocal: false,
  deadlineAtMs: null,
  expiresAtMs: 1_800_086_400_000,
  attempts: 1,
  ...given,
});
