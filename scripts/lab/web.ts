/**
 * Web site in the source's namespace (nginx), and one `curl` over an idle WAN link to compare with.
 */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { launch, logTail, outputOf, runToEnd, type RunningProgram } from "../rig/process.ts";
import { inside } from "./namespace.ts";

const port = 8_080;

export type WebSite = {
  program: RunningProgram;
  readonly url: string;
  /** Starts the stopped program again at the same address. */
  readonly restart: () => Promise<void>;
  /** Makes the site answer 503 to every request, or serve again. */
  readonly refuse: (refuses: boolean) => Promise<void>;
};

/**
 * Starts nginx and waits until it answers.
 * @param content folder to serve
 * @param folder for nginx's own files
 * @throws Error with the tail of the log when it does not answer
 */
export async function startNginx(
  namespace: string,
  address: string,
  content: string,
  folder: string,
): Promise<WebSite> {
  await mkdir(folder, { recursive: true });
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `  ${kind}_temp_path ${join(folder, kind)};`)
    .join("\n");
  const config = join(folder, "nginx.conf");
  const refusal = join(folder, "refuses");
  await writeFile(
    config,
    `daemon off;
user root;
pid ${join(folder, "nginx.pid")};
error_log ${join(folder, "error.log")};
events {}
http {
${temporary}
  access_log ${join(folder, "access.log")};
  sendfile on;
  server {
    listen ${address}:${port};
    root ${content};
    if (-f ${refusal}) {
      return 503;
    }
  }
}
`,
  );
  const url = `http://${address}:${port}`;
  const start = async (): Promise<RunningProgram> => {
    const program = launch({
      name: "nginx",
      command: [...inside(namespace), "nginx", "-e", join(folder, "error.log"), "-p", folder, "-c", config],
      logFile: join(folder, "nginx.log"),
    });
    await untilAnswering(program, namespace, url);
    return program;
  };
  const web: WebSite = {
    program: await start(),
    url,
    restart: async () => {
      web.program = await start();
    },
    refuse: (refuses) => (refuses ? writeFile(refusal, "") : rm(refusal, { force: true })),
  };
  return web;
}

async function untilAnswering(program: RunningProgram, namespace: string, url: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    if (program.exitStatus() !== null) throw new Error(`nginx did not start:\n${await logTail(program)}`);
    const probe = await runToEnd([...inside(namespace), "curl", "-s", "-o", "/dev/null", url]);
    if (probe.status === 0) return;
    await Bun.sleep(50);
  }
  throw new Error(`nginx does not answer at ${url}:\n${await logTail(program)}`);
}

/**
 * Serves `file` at the source, and returns the seconds that one `curl` of a device needs for it.
 */
export async function timeCurl(
  source: { readonly namespace: string; readonly address: string },
  device: string,
  file: string,
  folder: string,
): Promise<number> {
  const web = await startNginx(source.namespace, source.address, dirname(file), folder);
  try {
    const url = `${web.url}/${encodeURIComponent(file.slice(dirname(file).length + 1))}`;
    const command = [
      ...inside(device),
      "curl",
      "-sS",
      "--fail",
      "-o",
      "/dev/null",
      "-w",
      "%{time_total}",
      url,
    ];
    return Number(await outputOf(command));
  } finally {
    await web.program.stop();
  }
}
