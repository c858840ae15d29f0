/** Commands about people: the real program and a running source, with a terminal and without. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SingleSignOnView, User } from "../shared/api/schema/users.ts";
import { createLogger } from "../shared/log.ts";
import { startSource, type RunningSource } from "../shared/source/server.ts";
import { TestBrowser } from "../shared/source/testing-browser.ts";

// Hashes of passwords take long on a busy machine.
setDefaultTimeout(60_000);

const program = join(import.meta.dir, "source.ts");
const password = "correct horse battery";
let folder: string;
let source: RunningSource;
let environment: Record<string, string | undefined>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-people-"));
  const dataDir = join(folder, "data");
  const listen = { host: "127.0.0.1", port: 0 };
  source = await startSource({ dataDir, listen, log: createLogger("test", "silent") });
  const token = await readFile(join(dataDir, "admin.token"), "utf8");
  environment = { ...process.env, FLOCKCAST_SOURCE: source.url, FLOCKCAST_TOKEN: token };
});
afterAll(async () => {
  await source.stop();
  await rm(folder, { recursive: true });
});

async function run(words: readonly string[], input = ""): Promise<{ status: number; text: string }> {
  const child = Bun.spawn([process.execPath, program, ...words], {
    stdin: new Blob([input]),
    stdout: "pipe",
    stderr: "pipe",
    env: environment,
  });
  const [out, error] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { status: await child.exited, text: (out + error).trim() };
}
/** Runs a command on a terminal and types a line after each question. */
async function onTerminal(words: readonly string[], lines: readonly string[]) {
  let shown = "";
  let asked = 0;
  const decoder = new TextDecoder();
  const child = Bun.spawn([process.execPath, program, ...words], {
    env: environment,
    terminal: {
      cols: 200,
      rows: 50,
      data(terminal, bytes) {
        shown += decoder.decode(bytes, { stream: true });
        const questions = shown.match(/(password|again): /g)?.length ?? 0;
        while (asked < Math.min(questions, lines.length)) terminal.write(lines[asked++]!);
      },
    },
  });
  const status = await child.exited;
  child.terminal?.close();
  return { status, shown };
}
const listed = async (name: string): Promise<User | undefined> =>
  (JSON.parse((await run(["user", "list", "--json"])).text) as User[]).find((one) => one.name === name);
const signIn = async (user: string, with_: string): Promise<number> =>
  (
    await new TestBrowser().send(`${source.url}/v1/session`, {
      method: "POST",
      json: { user, password: with_ },
    })
  ).status;

describe("a password", () => {
  test("is asked for twice on a terminal, and never shown there", async () => {
    const words = ["user", "add", "anna", "--role", "operator", "--scope", "b7"];
    // A wrong character is erased, and a letter of several bytes is one character.
    const added = await onTerminal(words, [`${password}xé\u007F\u007F\r`, `${password}\r`]);
    expect(added).toEqual({ status: 0, shown: expect.stringContaining("added anna, operator") });
    expect(added.shown).toContain("New password: ");
    expect(added.shown).not.toContain(password.slice(0, 4));
    expect(await signIn("anna", password)).toBe(200);
    expect(await listed("anna")).toMatchObject({ role: "operator", scope: ["b7"], sessions: 1 });
  });

  test("that is typed in two ways, or not at all, changes nothing", async () => {
    const words = ["user", "add", "nobody", "--role", "viewer"];
    const differs = await onTerminal(words, [`${password}\r`, `${password}!\r`]);
    expect(differs).toEqual({ status: 1, shown: expect.stringContaining("typed in two ways") });
    const stopped = await onTerminal(words, ["\u0003"]);
    expect(stopped).toEqual({ status: 1, shown: expect.stringContaining("nothing was changed") });
    expect(await listed("nobody")).toBeUndefined();
  });

  test("comes from a file or from standard input, and is no argument", async () => {
    const file = join(folder, "password");
    await writeFile(file, `${password}\n`);
    expect(await run(["user", "add", "ben", "--role", "viewer", "--password-file", file])).toEqual({
      status: 0,
      text: "added ben, viewer",
    });
    const next = "another staple entirely";
    const changed = await run(["user", "password", "ben", "--password-file", "-"], `${next}\r\n`);
    expect(changed).toEqual({
      status: 0,
      text: "changed the password of ben; the sessions of this user ended",
    });
    expect([await signIn("ben", password), await signIn("ben", next)]).toEqual([401, 200]);
    const refusals = [
      [["user", "password", "ben"], 2, "give --password-file FILE"],
      [["user", "password", "ben", "--password-file", "-"], 1, "the password is empty"],
      [["user", "password", "ben", "--password-file", join(folder, "none")], 1, "Cannot read the password"],
      [["user", "password", "ben", "--password-file", program], 1, "has more than 4096 bytes"],
      [["user", "password", "ben", password], 2, "too many arguments"],
    ] as const;
    for (const [words, status, text] of refusals)
      expect([words, await run(words)]).toEqual([words, { status, text: expect.stringContaining(text) }]);
    const short = await run(["user", "password", "ben", "--password-file", "-"], "short");
    expect(short).toEqual({ status: 1, text: expect.stringContaining("has 5 characters") });
  });
});

test("users are changed, disabled, listed and removed", async () => {
  await run(["user", "add", "carl", "--role", "viewer", "--password-file", "-"], password);
  const edited = await run(["user", "edit", "carl", "--role", "operator", "--scope", "b7,b8", "--disable"]);
  expect(edited).toEqual({ status: 0, text: "carl: operator, devices with b7 or b8, disabled" });
  expect(await signIn("carl", password)).toBe(403);
  expect((await run(["user", "edit", "carl", "--enable", "--scope", "none"])).text).toBe(
    "carl: operator, all devices",
  );
  const lines = (await run(["user", "list"])).text.split("\n");
  expect(lines[0]).toMatch(/^NAME +ROLE +SCOPE +SIGN-IN +STATE +LAST LOGIN +SESSIONS$/);
  expect(lines.find((line) => line.startsWith("carl"))).toMatch(
    /^carl +operator +all +password +active +never +0$/,
  );
  expect(await run(["user", "remove", "carl"])).toEqual({ status: 0, text: "removed carl" });
  for (const [words, status, text] of [
    [["user", "remove", "carl"], 1, 'No user "carl"'],
    [["user", "edit", "carl"], 2, "Nothing to change"],
    [["user", "add", "a b", "--role", "viewer"], 2, "cannot be a user's name"],
    [["user", "add", "dora", "--role", "publisher", "--scope", "b7"], 2, "concerns all devices"],
    [["user", "add", "dora", "--role", "root"], 2, "Allowed choices are viewer"],
  ] as const)
    expect([words, await run(words)]).toEqual([words, { status, text: expect.stringContaining(text) }]);
});

/** Discovery document of a provider. */
const discovery = (origin: string) => ({
  issuer: origin,
  authorization_endpoint: `${origin}/authorize`,
  token_endpoint: `${origin}/token`,
  jwks_uri: `${origin}/keys`,
  response_types_supported: ["code"],
  subject_types_supported: ["public"],
  id_token_signing_alg_values_supported: ["RS256"],
});

test("single sign-on is set with the roles of groups, shown without its secret, and ended", async () => {
  const provider = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => Response.json(discovery(new URL(request.url).origin)),
  });
  const issuer = provider.url.origin;
  try {
    const secretFile = join(folder, "client.secret");
    await writeFile(secretFile, "secret of the client\n");
    const words = ["oidc", "set", "--issuer", issuer, "--client-id", "flockcast", "--role"];
    const withRoles = [...words, "administrator=it admins", "--role", "operator:b7,b8=help=desk"];
    const set = await run([...withRoles, "--client-secret-file", secretFile]);
    expect(set).toEqual({ status: 0, text: expect.stringContaining("Allow the redirect address") });
    const shown = await run(["oidc", "show", "--json"]);
    expect(shown.text).not.toContain("secret of the client");
    expect(JSON.parse(shown.text) as SingleSignOnView).toMatchObject({
      issuer,
      publicUrl: source.url,
      redirectUrl: `${source.url}/v1/sign-in/provider/callback`,
      roles: [
        { role: "administrator", group: "it admins", scope: [] },
        { role: "operator", group: "help=desk", scope: ["b7", "b8"] },
      ],
    });
    expect((await run(["oidc", "show"])).text).toContain(
      "operator      group help=desk, devices with b7 or b8",
    );
    const wrong = await run([...words, "root=admins"]);
    expect(wrong).toEqual({ status: 2, text: expect.stringContaining("is not ROLE=GROUP") });
    expect((await run(["oidc", "remove"])).status).toBe(0);
    expect((await run(["oidc", "show"])).text).toContain("no single sign-on");
    const later = await run(withRoles);
    expect(later).toEqual({ status: 1, text: expect.stringContaining("client secret is missing") });
  } finally {
    await provider.stop(true);
  }
});
