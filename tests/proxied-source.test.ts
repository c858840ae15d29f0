/**
 * A source behind nginx: clients with different addresses on loopback, a proxy chain of TCP and a
 * Unix socket, and clients that forge headers. Needs nginx and curl, or is skipped
 * (network-test.ts).
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "bun:test";
import { enrollTokenOf, startSource, type Source } from "../scripts/rig/deployment.ts";
import { launch, logTail, outputOf, type RunningProgram } from "../scripts/rig/process.ts";
import { programsFromSource } from "../scripts/rig/programs.ts";
import { inventoryOf } from "../shared/source/app-fixture.ts";
import type { CheckInResponse, EnrollResponse } from "../shared/api/schema/agent.ts";
import { until } from "./harness.ts";
import { networkTest } from "./network-test.ts";

const proxyTest = networkTest("nginx", "curl");

async function freePort(): Promise<number> {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
  const { port } = server;
  await server.stop(true);
  return port!;
}

const pass = (target: string): string =>
  `location / { proxy_pass ${target}; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }`;

/** Starts two servers: `near` passes to the source, and `far` to `near` over a Unix socket. */
async function startNginx(folder: string, sourceUrl: string) {
  const [near, far] = [await freePort(), await freePort()];
  const socket = join(folder, "near.sock");
  const configuration = `
    daemon off; user root; pid ${folder}/nginx.pid; error_log stderr;
    events {}
    http {
      access_log off;
      client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
      fastcgi_temp_path ${folder}/fastcgi; uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
      server { listen 127.0.0.1:${near}; listen unix:${socket}; ${pass(sourceUrl)} }
      server { listen 127.0.0.1:${far}; ${pass(`http://unix:${socket}:`)} }
    }`;
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "nginx.conf"), configuration);
  const program = launch({
    name: "nginx",
    command: ["nginx", "-p", folder, "-c", join(folder, "nginx.conf"), "-e", "stderr"],
    logFile: join(folder, "nginx.log"),
  });
  const urls = { near: `http://127.0.0.1:${near}`, far: `http://127.0.0.1:${far}` };
  await until(
    () => logTail(program),
    10_000,
    async () => ((await fetch(urls.far).catch(() => null)) === null ? null : true),
  );
  return { program, ...urls };
}

async function post<T>(url: string, own: string, body: unknown, ...headers: string[]): Promise<T> {
  const words = ["-sS", "--fail-with-body", "--noproxy", "*", "--interface", own, "-d", "@-"];
  for (const header of ["content-type: application/json", ...headers]) words.push("-H", header);
  return JSON.parse(await outputOf(["curl", ...words, url], { input: JSON.stringify(body) })) as T;
}

proxyTest(
  "the source takes the address of a client from a trusted proxy, and from nobody else",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "flockcast-proxied-"));
    let source: Source | null = null;
    let nginx: RunningProgram | null = null;
    try {
      const serving = await startSource({
        programs: programsFromSource,
        data: join(folder, "source"),
        listen: "127.0.0.1:0",
        args: ["--no-tls", "--trusted-proxy", "192.0.2.0/24", "--trusted-proxy", "127.0.0.1"],
      });
      source = serving;
      const proxy = await startNginx(join(folder, "nginx"), serving.url);
      nginx = proxy.program;
      const token = await enrollTokenOf(serving);
      const device = { token, hostname: "h", os: "linux", arch: "x64", agentVersion: "0.1.0" };
      const { credential } = await post<EnrollResponse>(
        `${proxy.far}/v1/agent/enroll`,
        "127.0.0.7",
        device,
        "x-forwarded-for: 203.0.113.50",
      );
      expect(await readFile(serving.program.logFile, "utf8")).toContain('"address":"127.0.0.7"');

      // Sites with one CIDR and one virtual router: their public address alone tells them apart.
      const inventory = inventoryOf("h", "192.168.1.20");
      inventory.interfaces[0]!.gatewayMac = "00:00:5e:00:01:01";
      const subnetOf = async (url: string, own: string, ...headers: string[]): Promise<string | null> => {
        const authorization = `authorization: Bearer ${credential}`;
        const path = `${url}/v1/agent/check-in`;
        const answer = await post<CheckInResponse>(path, own, { inventory }, authorization, ...headers);
        return answer.subnetId;
      };
      const one = await subnetOf(proxy.near, "127.0.0.7");
      const other = await subnetOf(proxy.near, "127.0.0.8");
      expect(other).not.toBe(one);
      expect(await subnetOf(proxy.far, "127.0.0.7")).toBe(one);
      const forged = ["x-forwarded-for: 127.0.0.8"];
      expect(await subnetOf(proxy.near, "127.0.0.7", ...forged)).toBe(one);
      expect(await subnetOf(proxy.far, "127.0.0.7", ...forged)).toBe(one);
      // A socket that is not a proxy's, and a header that nginx passes on unseen.
      expect(await subnetOf(serving.url, "127.0.0.7", ...forged)).toBe(one);
      expect(await subnetOf(proxy.near, "127.0.0.7", "forwarded: for=127.0.0.8")).not.toBe(other);
      // A client on the proxy's own machine.
      expect(await subnetOf(serving.url, "127.0.0.1", ...forged)).toBe(other);
    } finally {
      await Promise.all([nginx?.stop(), source?.program.stop("SIGKILL")]);
      await rm(folder, { recursive: true, force: true });
    }
  },
  60_000,
);
