/** Command lines that empty pages show: the next step of a new deployment. */

const atSource = `--source ${location.origin} --token-file admin.token`;

export const addUserLine = `flockcast-source user add NAME --role administrator ${atSource}`;
export const enrolLine = `flockcast-peer run --source ${location.origin} --enroll-file enroll.token --data FOLDER`;
export const publishLine = `flockcast-source publish PATH --name NAME --version VERSION ${atSource}`;
export const createTaskLine = `flockcast-source task create NAME --action pre-cache --target all ${atSource}`;
export const signLine = `flockcast-source trust sign ${atSource}`;
