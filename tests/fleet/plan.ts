/** Plan of the year: what happens to which machine on which day, drawn from a seed. */
import { shuffle } from "../../shared/model/random.ts";

export const days = 365;
export const dayMs = 86_400_000;
/** Days of the restore, and of the backup that it restores. */
export const restoreDay = 194;
export const backupDays = Array.from({ length: 12 }, (_, month) => 30 * month + 3);
/** Days on which a month's version is published. */
export const versionDays = Array.from({ length: 11 }, (_, month) => 30 * month + 8);
export const certificateDays = [111, 247];
export const sites = ["Kiel", "Ulm", "Jena", "Bonn"];
export const subnetsCount = 7;
export const packageNames = ["tool", "driver"];
export const tagNames = ["pilot", "lab", "office"];

/** `count` machines in total; clones come in addition. */
const waves = [
  { day: 0, count: 24 },
  { day: 34, count: 16 },
  { day: 90, count: 10 },
  { day: 187, count: 6 },
  { day: 260, count: 4 },
];
export const machinesCount = waves.reduce((sum, { count }) => sum + count, 0);

export type Event =
  | { readonly kind: "enrol" | "retire" | "vanish" | "clone" | "reinstall"; readonly machine: number }
  | { readonly kind: "move"; readonly machine: number; readonly subnet: number }
  | { readonly kind: "fate"; readonly machine: number; readonly fate: "crash" | "ledger" | "folder" };

/** Machines of each event that happens to a machine once. */
const counts = { retire: 5, vanish: 3, clone: 3, reinstall: 8 } as const;
const movesCount = 6;
const fates = { crash: 12, ledger: 8, folder: 8 } as const;

/** Returns the events of each day. */
export function planOf(random: () => number): ReadonlyMap<number, readonly Event[]> {
  const plan = new Map<number, Event[]>();
  const add = (day: number, event: Event): void => void plan.set(day, [...(plan.get(day) ?? []), event]);
  const between = (from: number, to: number): number => from + Math.floor(random() * (to - from));
  // After a restore nothing knows of a command whose report and folder are both lost.
  const folderDay = (): number => (random() < 0.5 ? between(10, 150) : between(restoreDay + 1, 320));
  let enrolled = 0;
  for (const { day, count } of waves)
    for (let i = 0; i < count; i++) add(day, { kind: "enrol", machine: enrolled++ });
  // These are there from the start, and each one has one event that decides its life.
  const early = shuffle(
    Array.from({ length: 40 }, (_, machine) => machine),
    random,
  );
  for (const [kind, count] of Object.entries(counts) as [keyof typeof counts, number][])
    for (let i = 0; i < count; i++) add(between(60, 300), { kind, machine: early.pop()! });
  for (let i = 0; i < movesCount; i++)
    add(between(60, 320), { kind: "move", machine: early.pop()!, subnet: between(0, subnetsCount) });
  for (const [fate, count] of Object.entries(fates) as [keyof typeof fates, number][])
    for (let i = 0; i < count; i++)
      add(fate === "folder" ? folderDay() : between(10, 320), {
        kind: "fate",
        machine: between(0, machinesCount),
        fate,
      });
  return plan;
}
