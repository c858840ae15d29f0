/** List of tasks: the open ones, or all. */
import { useState } from "preact/hooks";
import type { TaskList } from "./answers.ts";
import { Empty, Heading, Shown } from "./elements.tsx";
import { messages } from "./language.ts";
import { createTaskLine } from "./overview.tsx";
import { useLoaded } from "./request.ts";
import { addressOf } from "./router.ts";
import { may } from "./session.ts";
import { isOpen, TaskTable } from "./task-table.tsx";

const everyMs = 5_000;

export function TasksPage() {
  const words = messages.value.tasks;
  const [showsAll, setShowsAll] = useState(false);
  const tasks = useLoaded<TaskList>("/v1/tasks", everyMs);
  return (
    <>
      <Heading text={words.title}>
        <label class="inline">
          {words.show}
          <select
            value={showsAll ? "all" : "open"}
            onChange={(event) => setShowsAll(event.currentTarget.value === "all")}
          >
            <option value="open">{words.open}</option>
            <option value="all">{words.every}</option>
          </select>
        </label>
        {may("POST /v1/tasks") && (
          <a role="button" href={addressOf("tasks", "new")}>
            {messages.value.wizard.title}
          </a>
        )}
      </Heading>
      <Shown loaded={tasks}>
        {({ tasks: all }) => {
          const shown = showsAll ? all : all.filter(isOpen);
          return shown.length === 0 ? (
            <Empty text={words.none} command={createTaskLine} />
          ) : (
            <TaskTable tasks={shown} />
          );
        }}
      </Shown>
    </>
  );
}
