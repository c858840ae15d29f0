/**
 * A source in the hands of an attacker, for `trust.test.ts`: it has the whole program and catalog,
 * and no key of an operator. Bun loads this file before the program. The file FLOCKCAST_LIE names
 * the attack at each moment, which changes every check-in answer.
 */
import { readFileSync } from "node:fs";
import { installPatches } from "../scripts/rig/source-patches.ts";
import type { CheckInResponse } from "../shared/api/schema/agent.ts";
import { signStatementOf, type Signed } from "../shared/model/trust/index.ts";
import { newSigningKey } from "../shared/model/trust/testing-trust.ts";

type Answer = CheckInResponse;
/** First answers that were true, by the number of their newest order. */
const earlier: Answer[] = [];
const attacker = newSigningKey();

const changed = (signed: Signed, change: (payload: Record<string, unknown>) => object): Signed => ({
  ...signed,
  payload: JSON.stringify(change(JSON.parse(signed.payload) as Record<string, unknown>)),
});
/** The attacker's own signature instead of the operator's. */
const forged = (kind: "task" | "setting", signed: Signed, change: object): Signed =>
  signStatementOf(kind, { ...JSON.parse(signed.payload), ...change }, [attacker]);

const withTasks = (answer: Answer, change: (task: Answer["tasks"][number]) => object): Answer => ({
  ...answer,
  tasks: answer.tasks.map((task) => Object.assign({}, task, change(task))),
});

/** Attacks by name. */
const attacks: Readonly<Record<string, (answer: Answer) => Answer>> = {
  none: (answer) => answer,
  "another command": (answer) =>
    withTasks(answer, ({ order }) => ({
      order: changed(order, (payload) => ({ ...payload, command: "touch ../../../../evil" })),
    })),
  "an order of its own": (answer) =>
    withTasks(answer, ({ order }) => ({
      order: forged("task", order, { command: "touch ../../../../evil" }),
    })),
  "the order under another id": (answer) => withTasks(answer, ({ id }) => ({ id: id + 100 })),
  "further attempts": (answer) => withTasks(answer, () => ({ attempt: 99 })),
  "a trust file of its own": (answer) => {
    const { version, files } = answer.trust;
    const known = earlier.flatMap(({ trust }) => trust.files);
    const last = JSON.parse(known.at(-1)!.payload) as object;
    const taken = {
      ...last,
      version: version + 1,
      root: { threshold: 1, keys: [attacker.key] },
      operators: [{ key: attacker.key, actions: [], target: "all", expiresAtMs: null }],
    };
    const file = signStatementOf("trust", taken, [attacker]);
    return attacks["an order of its own"]!({
      ...answer,
      trust: { ...answer.trust, version: version + 1, files: [...files, file] },
    });
  },
  "values of its own": (answer) => ({
    ...answer,
    settings: answer.settings.map((signed) =>
      changed(signed, (payload) => ({ ...payload, differences: { lanRateBps: 1e9 } })),
    ),
  }),
  "a setting of its own": (answer) => ({
    ...answer,
    ownSetting: { name: "fast" },
    settings: [
      ...answer.settings,
      ...answer.settings
        .slice(0, 1)
        .map((signed) => forged("setting", signed, { name: "fast", parent: "default" })),
    ],
  }),
  "a setting that is not assigned": (answer) => ({ ...answer, ownSetting: { name: "kiosk" } }),
  "old settings": (answer) => ({ ...answer, settings: earlier[0]!.settings }),
  "old orders": (answer) => ({
    ...answer,
    tasks: answer.tasks.map((task) => {
      const old = earlier.flatMap(({ tasks }) => tasks).find(({ id }) => id === task.id);
      return old === undefined ? task : { ...task, order: old.order };
    }),
  }),
  "no fresh word": (answer) => ({ ...answer, trust: { ...answer.trust, freshness: null } }),
  silence: (answer) => ({ ...answer, tasks: [] }),
};

(globalThis as { lie?: (answer: Answer) => Answer }).lie = (answer) => {
  const name = readFileSync(process.env["FLOCKCAST_LIE"]!, "utf8").trim();
  if (name === "none") earlier.push(structuredClone(answer));
  return attacks[name]!(answer);
};

installPatches(
  [
    {
      file: "shared/source/routes/agent.ts",
      from: "      return c.json(answer);\n    },\n  );\n}\n\n/** Statements",
      to: "      return c.json((globalThis as any).lie(answer));\n    },\n  );\n}\n\n/** Statements",
    },
  ],
  "tests/lying-source.ts",
);
