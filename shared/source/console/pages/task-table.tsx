/** Table of tasks, for the overview and the list. */
import type { TaskSummary } from "../../../api/schema/admin.ts";
import { Badge, Bar, Table, Time } from "./elements.tsx";
import { messages } from "./language.ts";
import { addressOf } from "./router.ts";
import { count } from "./texts.ts";

const openStates: ReadonlySet<TaskSummary["state"]> = new Set(["scheduled", "running", "paused"]);
export const isOpen = ({ state }: Pick<TaskSummary, "state">): boolean => openStates.has(state);

const badgeKinds = {
  scheduled: "quiet",
  running: "busy",
  paused: "quiet",
  done: "good",
  ended: "quiet",
  cancelled: "quiet",
} as const;

type Stated = Pick<TaskSummary, "state" | "isSigned" | "devices">;

export function TaskState({ task: { state, isSigned, devices } }: { task: Stated }) {
  const words = messages.value;
  return (
    <>
      <Badge kind={badgeKinds[state]} text={words.taskStates[state]} />
      {devices.failed > 0 && <Badge kind="bad" text={words.tasks.failedCount(count(devices.failed))} />}
      {!isSigned && <Badge kind="bad" text={words.tasks.unsigned} />}
    </>
  );
}

export function TaskTable({ tasks }: { tasks: readonly TaskSummary[] }) {
  const words = messages.value.tasks;
  return (
    <Table
      label={words.title}
      rows={tasks.toSorted((a, b) => b.id - a.id)}
      keyOf={({ id }) => id}
      columns={[
        {
          name: words.id,
          cell: ({ id, packageName, packageVersion }) => (
            <a href={addressOf("tasks", id)}>
              {id}: {packageName} {packageVersion}
            </a>
          ),
        },
        { name: words.state, cell: (task) => <TaskState task={task} /> },
        { name: words.action, cell: ({ action }) => messages.value.actions[action] },
        { name: words.target, cell: ({ target }) => <code>{target}</code> },
        {
          name: words.progress,
          cell: ({ devices: { complete, total } }) => {
            const share = words.ofTotal(count(complete), count(total));
            return (
              <>
                {share} <Bar value={complete} max={total} label={`${words.progress}: ${share}`} />
              </>
            );
          },
        },
        { name: words.start, cell: ({ startAtMs }) => <Time atMs={startAtMs} /> },
      ]}
    />
  );
}
