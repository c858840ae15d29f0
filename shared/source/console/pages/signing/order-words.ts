/** Orders in words, made from the content that this browser signs. */
import { diskChoiceForm, type ImageOrder } from "../../../../model/image-order.ts";
import type { OrderContent } from "../../../../model/trust/order.ts";
import type { Fact } from "../elements.tsx";
import { messages } from "../language.ts";
import { keyText, valueText } from "../setting-text.ts";
import { count, time } from "../texts.ts";
import type { ReadOrder } from "./sign-orders.ts";
import { signingMessages } from "./words.ts";

/** Returns what an order is about. */
export function orderTitle({ needed: { kind }, content }: ReadOrder): string {
  const words = signingMessages.value.drafts;
  if (kind === "task") return words.task(String((content as OrderContent<"task">).taskId));
  if (kind === "assignments") return words.assignments;
  const { name, version } = content as OrderContent<"setting">;
  return words.setting(name, count(version));
}

/** Returns every field of an order that a device acts on. */
export function orderFacts({ needed: { kind }, content }: ReadOrder): Fact[] {
  if (kind === "task") return taskFacts(content as OrderContent<"task">);
  const { fields, none } = signingMessages.value.drafts;
  if (kind === "assignments") {
    const { assignments } = content as OrderContent<"assignments">;
    return [
      [
        fields.assigned,
        assignments.map(({ setting, target }) => `${target} → ${setting}`).join("; ") || none,
      ],
    ];
  }
  const { parent, differences } = content as OrderContent<"setting">;
  const values = Object.entries(differences)
    .filter(([, value]) => value !== undefined)
    .map(([field, value]) => `${keyText(field)}=${valueText(field, value)}`);
  return [
    [fields.parent, parent ?? messages.value.settings.builtIn],
    [fields.values, values.join(", ") || none],
  ];
}

/** Returns the disk that the order of a task may overwrite. */
export function imageFacts(image: ImageOrder | null): Fact[] {
  if (image === null) return [];
  const { yes, no, wizard } = messages.value;
  const words = wizard.image;
  return [
    [words.disk, diskChoiceForm(image.disk) || words.onlyDisk],
    [words.overwrite, image.overwrite ? yes : no],
    [words.machineEnd, words.machineEnds[image.machineEnd]],
  ];
}

function taskFacts(order: OrderContent<"task">): Fact[] {
  const { fields, yes, all } = signingMessages.value.drafts;
  const { startIsLocal, startAtMs, deadlineAtMs, notWhile, setting, after } = order;
  const local = new Date(startAtMs).toISOString().slice(0, 16).replace("T", " ");
  const optional: [string, string | null][] = [
    [fields.run, order.run],
    [fields.command, order.command],
    [fields.deadline, deadlineAtMs === null ? null : time(deadlineAtMs)],
    [fields.notWhile, notWhile.join(", ") || null],
    [fields.setting, setting],
    [fields.after, after === null ? null : String(after)],
    [fields.downgrade, order.allowDowngrade ? yes : null],
  ];
  return [
    [fields.package, `${order.packageName} ${order.packageVersion} (${order.packageId.slice(0, 16)})`],
    [fields.action, messages.value.actions[order.action]],
    [fields.target, order.target === "all" ? all : order.target],
    ...imageFacts(order.image ?? null),
    ...optional.filter((one): one is [string, string] => one[1] !== null),
    startIsLocal ? [fields.localStart, local] : [fields.start, time(startAtMs)],
    [fields.expires, time(order.expiresAtMs)],
    [fields.attempts, count(order.attempts)],
  ];
}
