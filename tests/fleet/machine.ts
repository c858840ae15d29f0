/**
 * A machine of the year: its data folder, which may be lost or copied, and the ground truth, which
 * is every command that ever began on it.
 */
import { createHash, randomBytes } from "node:crypto";
import type { AgentTask } from "../../shared/api/schema/agent.ts";
import type { TaskRow } from "../../shared/device/task-record.ts";

export type FolderIdentity = {
  readonly deviceId: string;
  readonly credential: string;
  readonly sourceIdentity: string;
  readonly trustRoot: string | null;
  readonly deployment: number;
  readonly tlsSpki: string | null;
};
/** Files of the last command of a task id. `exitCode`: null if the command left none. */
export type Trace = { readonly identity: string; readonly exitCode: number | null };
/** Contents of the agent's data folder. Ledger: identity and rows. */
export type DataFolder = {
  identity: FolderIdentity | null;
  rows: Map<number, TaskRow>;
  traces: Map<number, Trace>;
  packages: Set<string>;
  /** Signed statements, as the ledger keeps them. */
  trust: unknown;
};
/** A command that began. `task`: name of the task that is never given twice. */
export type Run = {
  readonly task: string;
  readonly attempt: number;
  readonly installation: number;
  readonly exitCode: number;
};
/**
 * Loss at the next command, after it was begun and reported as begun. `crash`: only the machine
 * stops. `ledger`: the ledger is lost. `folder`: the data folder is lost.
 */
export type Fate = "none" | "crash" | "ledger" | "folder";
/**
 * - `retired`: removed by the administrator, and does not know yet
 * - `removed`: the source ended the agent
 * - `gone`: never on again
 */
export type Service = "not-yet" | "in-service" | "retired" | "removed" | "gone";

export type Machine = {
  readonly name: string;
  /** Number of the hardware: a copy of the disk runs on hardware with another one. */
  readonly hardware: string;
  readonly runs: Run[];
  readonly tags: Set<string>;
  subnet: number;
  /** Counts installations of the operating system. */
  installation: number;
  folder: DataFolder;
  /** Number of the agent's process. */
  instance: string;
  service: Service;
  offUntilDay: number;
  /** Times of check-ins since the machine's id, subnet and tags are as they are. */
  checkIns: number[];
  fate: Fate;
};

export const newInstance = (): string => randomBytes(8).toString("hex");

export const emptyFolder = (): DataFolder => ({
  identity: null,
  rows: new Map(),
  traces: new Map(),
  packages: new Set(),
  trust: null,
});

export const newMachine = (name: string, subnet: number): Machine => ({
  name,
  hardware: createHash("sha256").update(`hardware ${name}`).digest("hex"),
  runs: [],
  tags: new Set(),
  subnet,
  installation: 1,
  folder: emptyFolder(),
  instance: newInstance(),
  service: "not-yet",
  offUntilDay: 0,
  checkIns: [],
  fate: "none",
});

/** Returns a machine that runs a copy of another one's disk, and knows nothing of that. */
export const copyOf = (machine: Machine, subnet: number): Machine => ({
  ...newMachine(`${machine.name}-copy`, subnet),
  runs: [...machine.runs],
  tags: new Set(machine.tags),
  installation: machine.installation,
  folder: structuredClone(machine.folder),
  service: "in-service",
});

/** Returns the name of a task that is never given twice, unlike its id. */
export const taskName = (task: Pick<AgentTask, "id" | "createdAtMs">): string =>
  `${task.id} of ${new Date(task.createdAtMs).toISOString()}`;

export const deviceIdOf = ({ folder }: Machine): string | null => folder.identity?.deviceId ?? null;
