/** List of tasks: the open ones, or all. */
import { useState } from "preact/hooks";
import type { TaskList } from "./answers.ts";
import { createTaskStep } from "./command-lines.ts";
import { Empty, Heading, PageSteps, Shown } from "./elements.tsx";
import { messages } from "./language.ts";
import { usePages } from "./request.ts";
import { addressOf } from "./router.ts";
import { may } from "./session.ts";
import { TaskTable } from "./task-table.tsx";

const everyMs = 5_000;

export function TasksPage() {
  const words = messages.value.tasks;
  const [showsAll, setShowsAll] = useState(false);
  const tasks = usePages<TaskList>(`/v1/tasks?sort=-id${showsAll ? "" : "&state=open"}`, everyMs);
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
        {({ tasks: shown }) =>
          shown.length === 0 ? (
            <Empty text={showsAll ? words.none : words.noneOpen} next={createTaskStep()} />
          ) : (
            <>
              <TaskTable tasks={shown} />
              <PageSteps {...tasks} rows={shown.length} total={null} />
            </>
          )
        }
      </Shown>
    </>
  );
}
