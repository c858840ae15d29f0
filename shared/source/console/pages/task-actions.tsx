/** Buttons that change a task, each with a confirmation, and the ways to its forms. */
import type { TaskDetail } from "../../../api/schema/admin.ts";
import { ConfirmedButton } from "./elements.tsx";
import { messages } from "./language.ts";
import { ask } from "./request.ts";
import { addressOf, goTo } from "./router.ts";
import { may } from "./session.ts";
import { retryAsked, startNowAsked } from "./signing/asked.ts";
import { signChange } from "./signing/sign-orders.ts";
import { isOpen } from "./task-table.tsx";
import { count } from "./texts.ts";

type Options = { task: TaskDetail; reload: () => Promise<void> };

export function TaskActions({ task, reload }: Options) {
  const words = messages.value.task;
  const send = (verb: string) => async (): Promise<void> => {
    const answer = await ask<{ isSigned?: boolean }>("POST", `/v1/tasks/${task.id}/${verb}`);
    const asked = verb === "start-now" ? startNowAsked : verb === "retry" ? retryAsked : null;
    const subject = { kind: "task", subject: String(task.id) } as const;
    try {
      if (answer.isSigned === false && asked !== null) await signChange(subject, asked);
    } finally {
      await reload();
    }
  };
  const mayDo = (verb: string): boolean => isOpen(task) && may(`POST /v1/tasks/:id/${verb}`);
  const failed = count(task.devices.failed);
  return (
    <div class="buttons">
      {task.state === "scheduled" && mayDo("start-now") && (
        <ConfirmedButton name={words.startNow} question={words.askStartNow} send={send("start-now")} />
      )}
      {task.devices.failed > 0 && mayDo("retry") && (
        <ConfirmedButton name={words.retryFailed} question={words.askRetry(failed)} send={send("retry")} />
      )}
      {task.state === "paused"
        ? mayDo("resume") && (
            <ConfirmedButton name={words.resume} question={words.askResume} send={send("resume")} />
          )
        : mayDo("pause") && (
            <ConfirmedButton name={words.pause} question={words.askPause} send={send("pause")} />
          )}
      <FormLinks task={task} />
      {mayDo("cancel") && (
        <ConfirmedButton
          name={words.cancelTask}
          question={words.askCancel}
          send={send("cancel")}
          isDangerous
        />
      )}
      <Ends task={task} reload={reload} />
    </div>
  );
}

function FormLinks({ task: { id, state } }: Pick<Options, "task">) {
  const words = messages.value.taskForms;
  return (
    <>
      {state !== "cancelled" && may("PATCH /v1/tasks/:id") && (
        <a role="button" class="secondary" href={addressOf("tasks", id, "edit")}>
          {words.edit}
        </a>
      )}
      {may("POST /v1/tasks") && (
        <a role="button" class="secondary" href={addressOf("tasks", id, "copy")}>
          {words.copy}
        </a>
      )}
    </>
  );
}

/** Ways to end running commands, and to remove a task that is over. */
function Ends({ task, reload }: Options) {
  const words = messages.value.taskForms;
  const kill = async (): Promise<void> => {
    await ask("POST", `/v1/tasks/${task.id}/kill`);
    await reload();
  };
  const remove = async (): Promise<void> => {
    await ask("DELETE", `/v1/tasks/${task.id}`);
    goTo("tasks");
  };
  const hasCommand = task.action === "run" && (isOpen(task) || task.state === "cancelled");
  return (
    <>
      {hasCommand && may("POST /v1/tasks/:id/kill") && (
        <ConfirmedButton name={words.kill} question={words.askKill} send={kill} isDangerous />
      )}
      {(task.state === "cancelled" || task.state === "ended") && may("DELETE /v1/tasks/:id") && (
        <ConfirmedButton
          name={words.remove}
          question={words.askRemove(String(task.id))}
          send={remove}
          isDangerous
        />
      )}
    </>
  );
}
