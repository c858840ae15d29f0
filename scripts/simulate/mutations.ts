/**
 * Mutations: bugs that are patched into the program, to test that a checker of the simulator
 * detects each. docs/TESTING.md lists them with their detection rates.
 */
import type { SourcePatch } from "../rig/source-patches.ts";

export const mutations = {
  "accept-unverified": [
    {
      file: "shared/cache/package-store.ts",
      from: `if (!this.#isChunk(chunk) || !this.#chunkCheck.digestMatches(chunk, bytes)) return "wrong-digest";`,
      to: `if (!this.#isChunk(chunk)) return "wrong-digest";`,
    },
  ],
  "skip-lease": [
    {
      file: "shared/device/lease-requests.ts",
      from: `if (subnetId === null) return { result: "unreachable" };\n    const { uselessBytes } = this.#spending;\n    let stated =`,
      to: `if (!query) return { result: "granted", term, before: null };\n    const { uselessBytes } = this.#spending;\n    let stated =`,
    },
  ],
  "keep-lease": [
    {
      file: "shared/device/session.ts",
      from: "return this.#run(this.#requests.release(effect.failure));",
      to: "return;",
    },
  ],
  "keep-idle-holder": [
    {
      file: "shared/model/lease-service.ts",
      from: "if (isPaused || contest?.against !== holderId) return false;",
      to: "if (isPaused || contest?.against !== holderId || nowMs > 0) return false;",
    },
  ],
  "reuse-nonce": [
    {
      file: "shared/wire/frame-writer.ts",
      from: "const sequence = takeSequence(counter);\n    writeHeaderOf(",
      to: "const sequence = takeSequence({ ...counter });\n    writeHeaderOf(",
    },
  ],
  "keep-sender": [
    {
      file: "shared/device/lan-sessions.ts",
      from: "if (joined.writer.remaining < sequencesLeftMin || this.#sender.isDue)",
      to: "if (joined.writer.remaining < sequencesLeftMin)",
    },
  ],
  "forget-ledger": [
    {
      file: "shared/cache/package-store.ts",
      from: "options.ledger.addChunks(options.id, kept);",
      to: "options.ledger.addChunks(options.id, kept.slice(1));",
    },
  ],
  "list-before-sync": [{ file: "shared/cache/chunk-batch.ts", from: "await this.#sink.sync();", to: "" }],
  "complete-before-read-back": [
    {
      file: "shared/cache/package-store.ts",
      from: "const badChunks = await this.#check(this.#readBack.done);",
      to: "const badChunks: number[] = [];",
    },
    {
      file: "shared/cache/package-store.ts",
      from: "this.#readBack.add(kept.map((row) => row.chunk));",
      to: "",
    },
  ],
  "trust-read-back": [
    {
      file: "shared/cache/package-store.ts",
      from: "for (const file of await this.#files.changedFiles()) this.#forgetReadBack(file);",
      to: "",
    },
    {
      file: "shared/cache/package-store.ts",
      from: "(await this.#files.changedFiles())];",
      to: "[]];",
    },
    {
      file: "shared/cache/package-files.ts",
      from: "(left === null || isSameState(state, left))",
      to: "true",
    },
    {
      file: "shared/cache/package-store.ts",
      from: "(file) => this.#forgetReadBack(file),",
      to: "() => {},",
    },
  ],
  "offer-corrupt": [
    {
      file: "shared/cache/verified-chunks.ts",
      from: "if (this.#corrupt.isEmpty) return this.set;",
      to: "return this.set;",
    },
  ],
  "exceed-rate": [
    {
      file: "shared/device/chunk-sender.ts",
      from: "while (this.#bucket.available(clock.nowMs()) < bytes) {",
      to: "while (bytes < 0) {",
    },
  ],
  "repeat-command": [{ file: "shared/device/task-run.ts", from: "      save();\n", to: "" }],
  "ignore-window": [
    {
      file: "shared/device/run-conditions.ts",
      from: "if (fromMs <= nowMs) return null;",
      to: "if (fromMs > 0) return null;",
    },
  ],
  "ignore-programs": [
    {
      file: "shared/device/run-conditions.ts",
      from: "if (found.length > 0) return found;",
      to: "",
    },
  ],
  "never-step-down": [
    {
      file: "shared/device/session.ts",
      from: "this.receptions.senders.update(sender, address, frame.device);",
      to: `this.receptions.senders.update(sender, address, frame.device);
    if (this.member.role === "representative" && (frame.type === "announce" || frame.type === "claim")) return;`,
    },
    {
      file: "shared/device/session.ts",
      from: `this.step({ type: "LeaseAnswered", answer });`,
      to: `if (this.member.role === "candidate") this.step({ type: "LeaseAnswered", answer });`,
    },
  ],
  "ignore-guard": [
    { file: "shared/device/session.ts", from: "guard: () => guard.text,", to: "guard: () => null," },
  ],
  "elect-guarded": [
    {
      file: "shared/core/transitions.ts",
      from: "const isGuarded = rankedMs !== null && guard() !== null;",
      to: "const isGuarded = rankedMs === 0 && guard() === null;",
    },
    { file: "shared/core/guarded-roles.ts", from: "if (why === null) return;", to: "if (nowMs > 0) return;" },
  ],
  "ignore-wan-guard": [
    {
      file: "shared/device/session.ts",
      from: 'wanFallback: guard.pausesWan ? "never" : setting.wanFallback,',
      to: "wanFallback: setting.wanFallback,",
    },
  ],
  "all-standbys": [
    { file: "shared/core/peer.ts", from: " || frame.toDevice !== member.config.device)", to: ")" },
  ],
} as const satisfies Record<string, readonly SourcePatch[]>;

export type Mutation = keyof typeof mutations;
export const mutationNames = Object.keys(mutations) as Mutation[];
