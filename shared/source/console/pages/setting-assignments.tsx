/** Assignments of settings to devices: targets in their order of precedence. */
import * as v from "valibot";
import type { SettingAssignmentList, SettingView } from "../../../api/schema/settings.ts";
import { withAssignment, type SettingAssignment } from "../../../model/setting-inheritance.ts";
import type { Asked } from "../../../model/trust/order-review.ts";
import { ConfirmedButton, Shown, Table, type Column } from "./elements.tsx";
import { atField, checked, Field, FormButton, Select, textOf } from "./forms.tsx";
import { messages } from "./language.ts";
import { ask, useLoaded } from "./request.ts";
import { addressOf } from "./router.ts";
import { may } from "./session.ts";
import { assignmentsAsked } from "./signing/asked.ts";
import { signChange } from "./signing/sign-orders.ts";
import { count } from "./texts.ts";

/** The source limits the place to the length of the list. */
const rankSchema = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(500));
const path = "/v1/setting-assignments";
type Assignment = SettingAssignmentList["assignments"][number];
type Options = { readonly settings: readonly SettingView[]; readonly onChanged: () => Promise<void> };

export function SettingAssignments({ settings, onChanged }: Options) {
  const words = messages.value.settingChanges;
  const assignments = useLoaded<SettingAssignmentList>(path);
  const change = async (method: "PUT" | "DELETE", body: AssignmentBody): Promise<void> => {
    const { isSigned } = await ask<{ isSigned: boolean }>(method, path, body);
    try {
      if (!isSigned) await signChange({ kind: "assignments", subject: "" }, askedOf(method, body));
    } finally {
      await Promise.all([assignments.reload(), onChanged()]);
    }
  };
  const assign = async (data: FormData): Promise<void> => {
    const rank = textOf(data, "rank");
    const place = rank === "" ? null : checked("rank", rankSchema, Number(rank));
    const body = { setting: textOf(data, "setting"), target: textOf(data, "target"), rank: place };
    await atField("target", change("PUT", body));
  };
  return (
    <section>
      <h2>{words.assignments}</h2>
      <p>{words.assignmentsHint}</p>
      {may("PUT /v1/setting-assignments") && (
        <div class="buttons">
          <FormButton name={words.assign} send={assign}>
            <Select name="setting" label={words.setting} options={settings.map(({ name }) => [name, name])} />
            <Field name="target" label={words.target} hint={words.assignHint} />
            <Field name="rank" label={words.place} hint={words.placeHint} />
          </FormButton>
        </div>
      )}
      <Shown loaded={assignments}>
        {({ assignments: rows, others }) => (
          <>
            {rows.length > 0 && (
              <Table
                label={words.assignments}
                rows={rows}
                keyOf={({ target }) => target}
                columns={columnsOf(change)}
              />
            )}
            <p>{words.others(count(others))}</p>
          </>
        )}
      </Shown>
    </section>
  );
}

type AssignmentBody = SettingAssignment & { readonly rank?: number | null };

/** Returns the change of the assignments that a request makes. */
const askedOf = (method: "PUT" | "DELETE", { setting, target, rank = null }: AssignmentBody): Asked =>
  assignmentsAsked((before) =>
    method === "PUT"
      ? withAssignment(before, { setting, target }, rank)
      : before.filter((one) => one.setting !== setting || one.target !== target),
  );

function columnsOf(
  change: (method: "PUT" | "DELETE", body: AssignmentBody) => Promise<void>,
): Column<Assignment>[] {
  const words = messages.value.settingChanges;
  const columns: Column<Assignment>[] = [
    { name: words.target, cell: ({ target }) => <code>{target}</code> },
    { name: words.rank, isNumber: true, cell: ({ rank }) => count(rank) },
    { name: words.setting, cell: ({ setting }) => <a href={addressOf("settings", setting)}>{setting}</a> },
    { name: words.matched, isNumber: true, cell: ({ matched }) => count(matched) },
    { name: words.gets, isNumber: true, cell: ({ devices }) => count(devices) },
  ];
  if (!may("PUT /v1/setting-assignments")) return columns;
  const actions: Column<Assignment> = {
    name: words.actions,
    cell: ({ setting, target, rank }) => (
      <div class="buttons">
        {rank > 1 && (
          <ConfirmedButton
            name={words.up(target)}
            question={words.askUp(target)}
            send={() => change("PUT", { setting, target, rank: rank - 1 })}
          />
        )}
        <ConfirmedButton
          name={words.unassign(target)}
          question={words.askUnassign(target)}
          send={() => change("DELETE", { setting, target })}
          isDangerous
        />
      </div>
    ),
  };
  return [...columns, actions];
}
