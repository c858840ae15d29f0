/**
 * Form that changes a task: target, times, conditions and setting, then a summary of what changes
 * with the devices that get and drop the task.
 */
import { useRef, useState } from "preact/hooks";
import type { TaskChanged, TaskDetail, TaskEdit } from "../../../api/schema/admin.ts";
import type { SettingList } from "./answers.ts";
import { Facts, Heading, Shown, type Fact } from "./elements.tsx";
import { focusFirstProblem } from "./form-field.tsx";
import { messages } from "./language.ts";
import { Unsigned, type UnsignedTask } from "./new-task.tsx";
import { ask, useLoaded } from "./request.ts";
import { addressOf, goTo } from "./router.ts";
import { may } from "./session.ts";
import { taskEditAsked } from "./signing/asked.ts";
import { signStored } from "./signing/sign-orders.ts";
import {
  draftOf,
  editOf,
  editProblems,
  type DraftProblems,
  type TaskDraft,
  type FieldsState,
} from "./task-draft.ts";
import { TaskReview } from "./task-review.tsx";
import { ScheduleFields, SettingField, TargetFields } from "./task-fields.tsx";
import { usePreview, useTargetCount } from "./target-preview.tsx";
import { time } from "./texts.ts";

export function EditTaskPage({ id }: { id: string }) {
  const task = useLoaded<TaskDetail>(`/v1/tasks/${encodeURIComponent(id)}?devices=none`);
  return <Shown loaded={task}>{(found) => <Editor task={found} />}</Shown>;
}

function Editor({ task }: { task: TaskDetail }) {
  const before = draftOf(task);
  const [draft, setDraft] = useState(before);
  const [stage, setStage] = useState<"form" | TaskEdit | UnsignedTask>("form");
  const settings = useLoaded<SettingList>(may("GET /v1/settings") ? "/v1/settings" : null);
  if (stage === "form")
    return (
      <EditForm
        task={task}
        settings={settings.data?.settings ?? []}
        draft={draft}
        setDraft={setDraft}
        next={setStage}
      />
    );
  if ("outcome" in stage) return <Unsigned key="unsigned" {...stage} />;
  const back = (): void => setStage("form");
  return <Review key="review" task={task} edit={stage} back={back} changed={setStage} />;
}

type EditFormOptions = SettingList & {
  task: TaskDetail;
  draft: TaskDraft;
  setDraft: (draft: TaskDraft) => void;
  next: (edit: TaskEdit) => void;
};

function EditForm({ task, settings, draft, setDraft, next }: EditFormOptions) {
  const words = messages.value;
  const form = useRef<HTMLFormElement>(null);
  const [problems, setProblems] = useState<DraftProblems>({});
  const [isSame, setSame] = useState(false);
  const counted = useTargetCount(draft.target);
  const state: FieldsState = {
    draft,
    problems,
    change: (part) => {
      const changed = { ...draft, ...part };
      setDraft(changed);
      setSame(false);
      const left = editProblems(changed, Date.now());
      setProblems(Object.fromEntries(Object.entries(left).filter(([field]) => field in problems)));
    },
  };
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const nowMs = Date.now();
    const found = editProblems(draft, nowMs);
    setProblems(found);
    const edit = editOf(draftOf(task), draft, nowMs);
    const isWrong = Object.keys(found).length > 0 || counted.error !== null;
    setSame(!isWrong && Object.keys(edit).length === 0);
    if (isWrong) focusFirstProblem(form.current);
    else if (Object.keys(edit).length > 0) next(edit);
  };
  return (
    <>
      <Heading text={words.taskForms.title(String(task.id))} />
      <Facts facts={[[words.tasks.package, `${task.packageName} ${task.packageVersion}`]]} />
      <form ref={form} class="wizard" noValidate onSubmit={submit}>
        <TargetFields state={state} counted={counted} />
        <ScheduleFields state={state} />
        {(settings.length > 0 || draft.setting !== "") && <SettingField state={state} settings={settings} />}
        {isSame && (
          <p class="notice" role="alert">
            {words.taskForms.same}
          </p>
        )}
        <div class="buttons">
          <button type="submit">{words.wizard.toSummary}</button>
          <a role="button" class="secondary" href={addressOf("tasks", task.id)}>
            {words.cancel}
          </a>
        </div>
      </form>
    </>
  );
}

type ReviewOptions = {
  task: TaskDetail;
  edit: TaskEdit;
  back: () => void;
  changed: (unsigned: UnsignedTask) => void;
};

function Review({ task, edit, back, changed }: ReviewOptions) {
  const words = messages.value.taskForms;
  const send = async (): Promise<void> => {
    const after = await ask<TaskChanged>("PATCH", `/v1/tasks/${task.id}`, edit);
    if (after.isSigned) return goTo("tasks", task.id);
    const subject = { kind: "task", subject: String(task.id) } as const;
    const outcome = await signStored(subject, taskEditAsked(edit));
    if (outcome === "signed") goTo("tasks", task.id);
    else changed({ task: after, outcome });
  };
  return (
    <TaskReview
      title={words.summary(String(task.id))}
      facts={changesOf(task, edit)}
      preview={usePreview(edit, `/v1/tasks/${task.id}/dry-run`)}
      submit={words.save}
      send={send}
      back={back}
    />
  );
}

type Start = { readonly startAtMs: number; readonly startIsLocal: boolean };
const startText = ({ startAtMs, startIsLocal }: Start): string =>
  startIsLocal
    ? messages.value.wizard.localStart(new Date(startAtMs).toISOString().slice(0, 16).replace("T", " "))
    : time(startAtMs);

/** Returns the changed fields, each with the value before and after. */
function changesOf(task: TaskDetail, edit: TaskEdit): Fact[] {
  const words = messages.value;
  const moment = (atMs: number | null): string => (atMs === null ? words.none : time(atMs));
  const { target, startAtMs, startIsLocal = false, deadlineAtMs, expiresAtMs, notWhile, ...rest } = edit;
  const { setting, wakes } = rest;
  const yesOrNo = (is: boolean): string => (is ? words.yes : words.no);
  const rows: (readonly [name: string, before: string, after: string | undefined])[] = [
    [words.tasks.target, task.target, target],
    [
      words.tasks.start,
      startText(task),
      startAtMs === undefined ? undefined : startText({ startAtMs, startIsLocal }),
    ],
    [
      words.wizard.deadline,
      moment(task.deadlineAtMs),
      deadlineAtMs === undefined ? undefined : moment(deadlineAtMs),
    ],
    [
      words.wizard.notWhile,
      task.notWhile.join(", ") || words.none,
      notWhile && (notWhile.join(", ") || words.none),
    ],
    [words.task.expires, time(task.expiresAtMs), expiresAtMs === undefined ? undefined : time(expiresAtMs)],
    [
      words.task.setting,
      task.setting ?? words.task.ownSetting,
      setting === undefined ? undefined : (setting ?? words.task.ownSetting),
    ],
    [words.wizard.wakes, yesOrNo(task.wakes), wakes === undefined ? undefined : yesOrNo(wakes)],
  ] as const;
  return rows.flatMap(([name, before, after]) =>
    after === undefined ? [] : [[name, `${before} → ${after}`] as const],
  );
}
