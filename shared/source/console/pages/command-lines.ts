/** Command lines that empty pages show: the next step of a new deployment. */
import type { NextStep } from "./elements.tsx";
import { messages } from "./language.ts";
import { addressOf } from "./router.ts";

let address = location.origin;

/** Sets the address that devices and command lines use, where this page has another one. */
export function nameSource(sourceUrl: string | null): void {
  if (sourceUrl !== null) address = sourceUrl;
}

export const sourceAddress = (): string => address;
const atSource = (): string => `--source ${address} --token-file admin.token`;

export const addUserLine = (): string => `flockcast-source user add NAME --role administrator ${atSource()}`;
const enrolLine = (): string =>
  `flockcast-peer run --source ${address} --enroll-file enroll.token --data FOLDER`;
export const publishLine = (): string =>
  `flockcast-source publish PATH --name NAME --version VERSION ${atSource()}`;
const createTaskLine = (): string =>
  `flockcast-source task create NAME --action pre-cache --target all ${atSource()}`;

/** Next steps of empty lists: the page that takes them, and the command that does the same. */
export const publishStep = (): NextStep => ({
  needs: "POST /v1/packages/sign",
  command: publishLine(),
  page: { address: addressOf("packages", "new"), name: messages.value.publish.title },
});
export const createTaskStep = (): NextStep => ({
  needs: "POST /v1/tasks",
  command: createTaskLine(),
  page: { address: addressOf("tasks", "new"), name: messages.value.wizard.title },
});
export const enrolStep = (): NextStep => ({ needs: "POST /v1/tasks", command: enrolLine() });

export const signLine = (): string => `flockcast-source trust sign ${atSource()}`;
