/** Command lines that empty pages show: the next step of a new deployment. */

let address = location.origin;

/** Sets the address that devices and command lines use, where this page has another one. */
export function nameSource(sourceUrl: string | null): void {
  if (sourceUrl !== null) address = sourceUrl;
}

export const sourceAddress = (): string => address;
const atSource = (): string => `--source ${address} --token-file admin.token`;

export const addUserLine = (): string => `flockcast-source user add NAME --role administrator ${atSource()}`;
export const enrolLine = (): string =>
  `flockcast-peer run --source ${address} --enroll-file enroll.token --data FOLDER`;
export const publishLine = (): string =>
  `flockcast-source publish PATH --name NAME --version VERSION ${atSource()}`;
export const createTaskLine = (): string =>
  `flockcast-source task create NAME --action pre-cache --target all ${atSource()}`;
export const signLine = (): string => `flockcast-source trust sign ${atSource()}`;
