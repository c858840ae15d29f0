/**
 * Work of an administrator in a real browser: publishing a file and a folder, and a new task by the
 * keyboard alone that brings the file to two real agents.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, setDefaultTimeout } from "bun:test";
import { packageId } from "../shared/model/manifest-codec.ts";
import { readCommandFile } from "../shared/source/publishing/command-file.ts";
import { digestPath, type DigestOptions } from "../shared/source/publishing/digest-files.ts";
import { browserPrograms, openBrowser, type Browser } from "../scripts/rig/browser.ts";
import { addUsers, signInAt } from "./console-sign-in.ts";
import { openHarness, type Harness, type Peer } from "./harness.ts";
import { programTest } from "./network-test.ts";

setDefaultTimeout(90_000);
const test = await programTest(browserPrograms);
const limitMs = 90_000;

let harness: Harness;
let browser: Browser;
let peers: Peer[] = [];
/** Published in the first test. */
let file = "";
let folder = "";
let site: Bun.Server<undefined> | null = null;

beforeAll(async () => {
  harness = await openHarness({ sourceArgs: ["--publish-network", "127.0.0.1"] });
  browser = openBrowser();
  await addUsers(harness, { anna: "administrator" });
  peers = await harness.startPeers(2);
  file = await harness.makeFile("tool.bin", 11_000_000);
});
afterAll(async () => {
  await site?.stop(true);
  await browser?.[Symbol.asyncDispose]();
  await harness?.[Symbol.asyncDispose]();
});

/** Opens a new browser window and signs in. */
const signIn = (width = 1_280, language = "en-GB") =>
  signInAt(browser, harness.source.url, "anna", { width, language });

/** Publishes a file or a folder through the page. @returns the problems that the browser reports */
const publishInPage = (input: "file" | "folder", path: string, name: string, version: string) =>
  browser.run(
    async ({ page, problems, show }, given) => {
      await show("packages/new");
      await page.locator(`[name=${given.input}]`).setInputFiles(given.path);
      await page.locator("[name=package-name]").fill(given.name);
      await page.locator("[name=package-version]").fill(given.version);
      await page.locator("form.wizard [type=submit]").click();
      await page
        .getByRole("heading", { level: 1, name: `${given.name} ${given.version}` })
        .waitFor({ timeout: 40_000 });
      await page.locator(".page-head .badge.good").waitFor();
      return problems;
    },
    { input, path, name, version },
  );

/** Returns the package id that the command line gives to a file or folder. */
const idOf = async (path: string, options: DigestOptions): Promise<string> =>
  packageId((await digestPath(path, options)).bytes);

test(
  "publishes a file and a folder with the ids that the command line gives them",
  async () => {
    folder = join(harness.folder, "suite");
    await mkdir(join(folder, "data"), { recursive: true });
    await writeFile(join(folder, "data", "ä.txt"), "text");
    await writeFile(join(folder, "zeros.bin"), new Uint8Array(1_000_000));
    await writeFile(join(folder, "flockcast.toml"), '[check]\nlinux = "test -f data/ä.txt"\n');
    await signIn();
    expect(await publishInPage("file", file, "tool", "1.2")).toEqual([]);
    expect(await publishInPage("folder", folder, "suite", "3")).toEqual([]);
    const packages = await harness.client.packages();
    expect(packages.map(({ state }) => state)).toEqual(["ready", "ready"]);
    const [suite, tool] = packages.toSorted((one, other) => (one.name < other.name ? -1 : 1));
    expect(tool!.id).toBe(await idOf(file, { name: "tool", version: "1.2" }));
    const commands = await readCommandFile(join(folder, "flockcast.toml"));
    expect(commands.map(({ name }) => name)).toEqual(["check"]);
    expect(suite!.id).toBe(await idOf(folder, { name: "suite", version: "3", commands }));
    // The next step after publishing: a task with this package and its only command.
    const filled = await browser.run(async ({ page, show }, id) => {
      await show(`packages/${id}`);
      await page.getByRole("button", { name: "New task with this package" }).click();
      await page.locator("#run").waitFor();
      return Promise.all(["package", "action", "run"].map((field) => page.locator(`#${field}`).inputValue()));
    }, suite!.id);
    expect(filled).toEqual(["suite", "named", "check"]);
  },
  limitMs,
);

test(
  "creates a task by the keyboard alone, which brings the bytes to two agents",
  async () => {
    await signIn();
    const seen = await browser.run(async ({ page, problems, show }) => {
      await show("tasks/new");
      const focused = () => page.evaluate<string>("document.activeElement.id");
      const tabTo = async (id: string) => {
        for (let step = 0; step < 40; step++) {
          if ((await focused()) === id) return;
          await page.keyboard.press("Tab");
        }
        throw new Error(`Tab does not reach "${id}"`);
      };
      await page.locator("#package").waitFor();
      await tabTo("target");
      await page.keyboard.press("Enter");
      // The form names what is missing, and the focus is there.
      await page.locator("#package-problem").waitFor();
      const missing = await page.locator("#package-problem").innerText();
      await page.waitForTimeout(200);
      const atProblem = await focused();
      await page.keyboard.type("tool");
      await tabTo("target");
      await page.locator(".target-count").filter({ hasText: "2 devices" }).waitFor();
      await page.keyboard.press("Control+A");
      await page.keyboard.type("tag=(");
      const refusal = page.locator("#target-problem");
      await refusal.waitFor();
      const wrong = await refusal.innerText();
      const described = await page.locator("#target").getAttribute("aria-describedby");
      await page.keyboard.press("Control+A");
      await page.keyboard.type("all");
      await page.locator(".target-count").filter({ hasText: "2 devices" }).waitFor();
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { level: 1, name: "Summary of the new task" }).waitFor();
      await page.locator("main table").waitFor();
      const summary = await page.locator("main").innerText();
      for (let step = 0; step < 40; step++) {
        if ((await page.evaluate("document.activeElement.textContent")) === "Create the task") break;
        await page.keyboard.press("Tab");
      }
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { level: 1, name: /^Task \d+/ }).waitFor();
      return { missing, atProblem, wrong, described, summary, where: page.url(), problems };
    }, null);
    expect(seen.missing).toBe("Choose a package and a version.");
    expect(seen.atProblem).toBe("package");
    expect(seen.wrong).toContain("column");
    expect(seen.described).toContain("target-problem");
    expect(seen.summary).toContain("tool 1.2");
    expect(seen.summary).toMatch(/11\sMB/);
    // The browser itself reports the refused target.
    expect(seen.problems.filter((one) => !one.includes("400"))).toEqual([]);
    const taskId = Number(/#\/tasks\/(\d+)$/.exec(seen.where)?.[1]);
    await harness.waitUntilComplete(taskId, peers);
    for (const peer of peers) expect(await harness.copyError(peer, file, "tool", "1.2")).toBeNull();
    const suite = (await harness.client.packages()).find(({ name }) => name === "suite")!;
    await harness.waitUntilComplete(await harness.createTask(suite.id), peers);
    for (const peer of peers) expect(await harness.copyError(peer, folder, "suite", "3")).toBeNull();
  },
  limitMs,
);

test(
  "edits a task by the keyboard alone after a summary of what changes, and copies it with what it has",
  async () => {
    const tool = (await harness.client.packages()).find(({ name }) => name === "tool")!;
    const conditions = ["--start", "+1d", "--not-while", "game.exe", "--deadline", "+3d"];
    const what = ["--action", "run", "--command", "sleep 300", ...conditions];
    const taskId = Number(
      await harness.source.admin("task", "create", tool.id, ...what, "--target", `device:${peers[0]!.id}`),
    );
    const before = await harness.client.task(taskId);
    await signIn();
    const edited = await browser.run(async ({ page, problems, show, violations }, id) => {
      const focused = () => page.evaluate<string>("document.activeElement.id");
      const text = () => page.evaluate<string>("document.activeElement.textContent");
      const tabUntil = async (isThere: () => Promise<boolean>) => {
        for (let step = 0; step < 60 && !(await isThere()); step++) await page.keyboard.press("Tab");
      };
      await show(`tasks/${id}`);
      await page.getByRole("button", { name: "Edit", exact: true }).waitFor();
      await tabUntil(async () => (await text()) === "Edit");
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { level: 1, name: `Edit task ${id}` }).waitFor();
      await page.locator(".target-count").filter({ hasText: "1 device" }).waitFor();
      await tabUntil(async () => (await focused()) === "target");
      await page.keyboard.press("Enter");
      const same = await page.getByRole("alert").innerText();
      await page.keyboard.press("Control+A");
      await page.keyboard.type("all");
      await page.locator(".target-count").filter({ hasText: "2 devices" }).waitFor();
      await tabUntil(async () => (await focused()) === "not-while");
      await page.keyboard.press("Control+A");
      await page.keyboard.type("EXCEL.EXE, code");
      await page.keyboard.press("Tab");
      await page.keyboard.press("Space");
      const found = await violations();
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { level: 1, name: `Changes of task ${id}` }).waitFor();
      await page.locator("main table").waitFor();
      const summary = await page.locator("main").innerText();
      found.push(...(await violations()));
      await tabUntil(async () => (await text()) === "Save the changes");
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { level: 1, name: new RegExp(`^Task ${id}\\b`) }).waitFor();
      await page.getByText("No device had to be woken yet.").waitFor();
      found.push(...(await violations()));
      return { same, summary, found, problems };
    }, taskId);
    expect(edited.same).toBe("Nothing is changed yet.");
    expect(edited.summary).toContain(`device:${peers[0]!.id} → all`);
    expect(edited.summary).toContain("game.exe → EXCEL.EXE, code");
    expect(edited.summary).toMatch(/Wake sleeping devices .*\s+no → yes/);
    expect(edited.summary).toMatch(/New devices\s+1\s/);
    expect(edited.summary).not.toContain("Deadline");
    expect([...edited.found, ...edited.problems]).toEqual([]);
    const { startAtMs, deadlineAtMs, expiresAtMs } = before;
    const kept = { startAtMs, deadlineAtMs, expiresAtMs, command: "sleep 300" };
    const notWhile = ["EXCEL.EXE", "code"];
    const changed = { target: "all", notWhile, wakes: true, version: before.version + 1 };
    expect(await harness.client.task(taskId)).toMatchObject({ ...kept, ...changed });
    const copied = await browser.run(async ({ page, show }, id) => {
      await show(`tasks/${id}/copy`);
      await page.locator("#target").fill("all");
      await page.locator(".target-count").filter({ hasText: "2 devices" }).waitFor();
      await page.locator("form.wizard [type=submit]").click();
      await page.getByRole("button", { name: "Create the task" }).click();
      await page.getByRole("heading", { level: 1, name: /^Task \d+/ }).waitFor();
      return page.url();
    }, taskId);
    const copyId = Number(/#\/tasks\/(\d+)$/.exec(copied)?.[1]);
    expect(await harness.client.task(copyId)).toMatchObject({
      command: "sleep 300",
      notWhile: ["EXCEL.EXE", "code"],
      wakes: true,
      deadlineAtMs: null,
    });
    await harness.waitForTask(copyId, ({ deviceList }) =>
      deviceList.some(({ state }) => state === "running"),
    );
    const ended = await browser.run(
      async ({ page, show }, { first, copy }) => {
        const questions: string[] = [];
        const confirm = async (button: string) => {
          await page.locator("main").getByRole("button", { name: button, exact: true }).first().click();
          questions.push(await page.getByRole("dialog").innerText());
          await page.getByRole("dialog").getByRole("button", { name: button, exact: true }).click();
        };
        await show(`tasks/${copy}`);
        await confirm("Cancel, and end running commands");
        await page.locator(".page-head").getByText("cancelled").waitFor();
        await confirm("Remove the task");
        await page.getByRole("heading", { level: 1, name: "Tasks", exact: true }).waitFor();
        await show(`tasks/${first}`);
        await confirm("Pause");
        await page.locator(".page-head").getByText("paused").waitFor();
        await confirm("Resume");
        await page.locator(".page-head").getByText("scheduled").waitFor();
        await confirm("Cancel the task");
        await page.locator(".page-head").getByText("cancelled").waitFor();
        return { questions, edits: await page.getByRole("button", { name: "Edit", exact: true }).count() };
      },
      { first: taskId, copy: copyId },
    );
    expect(ended.questions[0]).toContain("can leave it half done");
    expect(ended.questions[1]).toContain(`Remove task ${copyId} with the reports`);
    expect(ended.edits).toBe(0);
    await expect(harness.client.task(copyId)).rejects.toThrow(`${copyId}`);
    await harness.source.admin("task", "remove", String(taskId));
  },
  limitMs,
);

test(
  "continues an upload after a lost connection, and after a reload with the bytes that are missing",
  async () => {
    const large = await harness.makeFile("large.bin", 20_000_000);
    await signIn();
    const first = await browser.run(
      async ({ page, show }, given) => {
        await show("packages/new");
        // One part is lost; the third one never arrives.
        let lost = 0;
        await page.route(/offset=[1-9]/, (route) => (lost++ === 0 ? route.abort() : route.continue()));
        await page.route(/offset=1[6-9]\d{6}/, (route) => route.abort());
        await page.locator("[name=file]").setInputFiles(given.file);
        await page.locator("[name=package-version]").fill("1");
        await page.locator("form.wizard [type=submit]").click();
        await page.getByText("The connection is lost").waitFor();
        await page.getByText(/^16(\.\d)?\sMB of 20\sMB|^16\.\d\sMB of/).waitFor();
        await page.getByRole("button", { name: "Cancel" }).click();
        await page.locator("form.wizard").waitFor();
        return lost;
      },
      { file: large },
    );
    expect(first).toBeGreaterThan(0);
    const sent = await browser.run(
      async ({ page, show }, given) => {
        await page.unrouteAll();
        await page.reload();
        await show("packages/new");
        const offsets: string[] = [];
        page.on("request", (request) => {
          if (request.method() === "PATCH") offsets.push(request.url().split("offset=")[1]!);
        });
        await page.getByText("large 1").waitFor();
        await page.locator("[name=file]").setInputFiles(given.file);
        await page.locator("[name=package-version]").fill("1");
        await page.locator("form.wizard [type=submit]").click();
        await page.getByRole("heading", { level: 1, name: "large 1" }).waitFor();
        return offsets.map(Number);
      },
      { file: large },
    );
    expect(sent.length).toBe(1);
    expect(sent[0]).toBeGreaterThan(16_000_000);
    const found = (await harness.client.packages()).find(({ name }) => name === "large");
    expect(found).toMatchObject({ state: "ready", id: await idOf(large, { name: "large", version: "1" }) });
    await harness.client.removePackage("large@1");
  },
  limitMs,
);

/** Opens a web site with a file, one whose end never comes, and a page. @returns its address */
function openSite(content: Uint8Array): string {
  site = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 120,
    fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname === "/setup.bin") return new Response(content);
      if (pathname === "/endless.bin")
        return new Response(
          new ReadableStream({
            start: (controller) => controller.enqueue(content),
            pull: () => new Promise(() => {}),
          }),
        );
      if (pathname === "/login") return new Response("<p>", { headers: { "content-type": "text/html" } });
      return new Response(null, { status: 404 });
    },
  });
  return site.url.origin;
}

test(
  "publishes a file of a web site by its address, with commands, progress, cancel and the next step of a failure",
  async () => {
    const local = await harness.makeFile("setup.bin", 900_000);
    const origin = openSite(await Bun.file(local).bytes());
    await signIn();
    const seen = await browser.run(async ({ page, problems, show, violations }, address) => {
      await show("packages/new");
      await page.getByRole("radio", { name: "On a web site" }).check();
      const fill = async (path: string, version: string, commands = "") => {
        await page.locator("[name=url]").fill(`${address}${path}`);
        await page.locator("[name=package-version]").fill(version);
        await page.locator("[name=commands]").fill(commands);
        await page.locator("form.wizard [type=submit]").click();
      };
      const one = (text: string) => page.locator("article.publication").filter({ hasText: text });
      await page.locator("[name=url]").fill("file:///etc/passwd");
      await page.locator("form.wizard [type=submit]").click();
      const wrong = await page.locator("#url-problem").innerText();
      await page.locator("[name=url]").fill("");
      await fill("/setup.bin", "1", '[install]\nlinux = "test -f setup.bin"');
      await one("setup 1").getByText("published", { exact: true }).waitFor();
      await fill("/missing.bin", "2");
      await one("missing 2").getByRole("alert").waitFor();
      const failure = await one("missing 2").getByRole("alert").innerText();
      await fill("/login", "3");
      await one("login 3").getByText("This is a web page").waitFor();
      await fill("/endless.bin", "4");
      await one("endless 4")
        .getByText(/900\s[kK]B/)
        .waitFor();
      const found = await violations();
      // The source continues while nobody looks.
      await page.reload();
      await show("packages/new");
      await page.getByRole("radio", { name: "On a web site" }).check();
      await one("endless 4").getByRole("button", { name: "Cancel the publication" }).click();
      const dialog = page.getByRole("dialog");
      const question = await dialog.innerText();
      await dialog.getByRole("button", { name: "Cancel the publication" }).click();
      await one("endless 4").getByText("cancelled", { exact: true }).waitFor();
      await one("setup 1").getByRole("link").click();
      await page.getByRole("heading", { level: 1, name: "setup 1" }).waitFor();
      const shown = await page.locator("main").innerText();
      return { wrong, failure, found, question, shown, problems };
    }, origin);
    expect(seen.wrong).toContain("neither http: nor https:");
    expect(seen.failure).toContain("answered 404");
    expect(seen.failure).toContain("Correct the address or the web site");
    expect(seen.found).toEqual([]);
    expect(seen.problems).toEqual([]);
    expect(seen.question).toContain("Stop to read endless 4?");
    expect(seen.shown).toContain("install");
    expect(seen.shown).toContain(`${origin}/setup.bin`);
    const published = (await harness.client.packages()).find(({ name }) => name === "setup")!;
    const commands = [
      { name: "install", lines: [{ os: "linux", shell: "sh", line: "test -f setup.bin" }] },
    ] as const;
    expect(published.id).toBe(await idOf(local, { name: "setup", version: "1", commands }));
    await harness.waitUntilComplete(await harness.createTask(published.id), peers);
    for (const peer of peers) expect(await harness.copyError(peer, local, "setup", "1")).toBeNull();
    expect((await harness.client.packages()).map(({ name }) => name)).not.toContain("endless");
  },
  limitMs,
);

test(
  "adds and removes a web site of a package after a confirmation",
  async () => {
    await signIn();
    const { id } = (await harness.client.packages()).find(({ name }) => name === "tool")!;
    const seen = await browser.run(async ({ page, show, violations }, tool) => {
      await show(`packages/${tool}`);
      await page.getByRole("button", { name: "Add a web site" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.locator("[name=url]").fill("ftp://files.example/tool.bin");
      await dialog.getByRole("button", { name: "Add a web site" }).click();
      const wrong = await dialog.getByRole("alert").innerText();
      await dialog.locator("[name=url]").fill("https://files.example/tool.bin");
      await dialog.getByRole("button", { name: "Add a web site" }).click();
      await page.locator(".web-sites code").waitFor();
      const found = await violations();
      await page.getByRole("button", { name: "Remove the web site" }).click();
      const question = await page.getByRole("dialog").innerText();
      await page.getByRole("dialog").getByRole("button", { name: "Remove the web site" }).click();
      await page.getByText("This source alone serves the bytes.").waitFor();
      return { wrong, found, question };
    }, id);
    expect(seen.wrong).toContain("neither http: nor https:");
    expect(seen.found).toEqual([]);
    expect(seen.question).toContain("Remove https://files.example/tool.bin?");
    for (const words of ["setup@1", "login@3"]) await harness.client.removePackage(words);
  },
  limitMs,
);

test(
  "takes a file that is dropped, and refuses a path that no system could store",
  async () => {
    await signIn();
    const seen = await browser.run(async ({ page, show }) => {
      await show("packages/new");
      const drop = async (name: string) => {
        const dataTransfer = await page.evaluateHandle((path) => {
          const transfer = Reflect.construct(Reflect.get(globalThis, "DataTransfer"), []) as {
            items: { add: (file: File) => void };
          };
          transfer.items.add(new File(["dropped"], path));
          return transfer;
        }, name);
        await page.locator("fieldset.drop").dispatchEvent("drop", { dataTransfer });
      };
      await drop("con.txt");
      await page.getByText(/con\.txt: 1 file, 7\sB/).waitFor();
      await page.locator("[name=package-version]").fill("1");
      await page.locator("form.wizard [type=submit]").click();
      const refusal = await page.locator("#file-problem").innerText();
      await drop("dropped.txt");
      await page.getByText(/dropped\.txt: 1 file, 7\sB/).waitFor();
      await page.locator("[name=package-name]").fill("dropped");
      await page.locator("form.wizard [type=submit]").click();
      await page.getByRole("heading", { level: 1, name: "dropped 1" }).waitFor();
      return refusal;
    }, null);
    expect(seen).toContain("reserved name on Windows");
    const dropped = (await harness.client.packages()).find(({ name }) => name === "dropped");
    expect(dropped).toMatchObject({ state: "ready", sizeBytes: 7 });
    await harness.client.removePackage("dropped@1");
  },
  limitMs,
);

for (const [width, locale] of [
  [375, "de-DE"],
  [1_280, "en-GB"],
] as const)
  test(
    `has no problem in the forms and the summary, by axe: ${width} ${locale}`,
    async () => {
      await signIn(width, locale);
      // The source takes starts in the next ten years.
      const start = `${new Date().getFullYear() + 2}-01-01T10:00`;
      const problems = await browser.run(
        async ({ page, problems: reported, show, violations }, given) => {
          const found: string[] = [];
          const look = async (where: string) => {
            const overflow = await page.evaluate<number>(
              "document.documentElement.scrollWidth - document.documentElement.clientWidth",
            );
            if (overflow > 0) found.push(`${where}: ${overflow} pixels too wide`);
            found.push(...(await violations()).map((one) => `${where}: ${one}`));
          };
          await show("packages/new");
          await page.locator("form.wizard").waitFor();
          await page.locator("form.wizard [type=submit]").click();
          await page.locator(".field-problem").first().waitFor();
          await look("publish");
          await page.locator("[name=place][value=url]").check();
          await page.locator("form.wizard [type=submit]").click();
          await page.locator("#url-problem").waitFor();
          await look("publish by URL");
          await show("tasks/new");
          await page.locator("#package").waitFor();
          await page.locator("form.wizard [type=submit]").click();
          await page.locator("#package-problem").waitFor();
          await look("problems");
          await page.locator("#package").selectOption("suite");
          await page.locator("#action").selectOption("named");
          await page.locator("#run").selectOption("check");
          await page.locator("#start-kind").selectOption("local");
          await page.locator("#start").fill(given.start);
          await page.locator("details summary").first().click();
          await look("task");
          await page.locator("form.wizard [type=submit]").click();
          await page.locator("main table").waitFor();
          await look("summary");
          await show(`tasks/${given.taskId}/edit`);
          await page.locator("#target").fill("");
          await page.locator("#expires").fill("");
          await page.locator("form.wizard [type=submit]").click();
          await page.locator("#expires-problem").waitFor();
          await look("edit");
          await show(`tasks/${given.taskId}/copy`);
          await page.locator("#target").waitFor();
          await look("copy");
          await show(`tasks/${given.taskId}`);
          await look("task");
          return [...found, ...reported];
        },
        { start, taskId: (await harness.client.tasks())[0]!.id },
      );
      expect(problems).toEqual([]);
    },
    limitMs,
  );

test(
  "removes a version after a confirmation only",
  async () => {
    await signIn();
    const { id } = (await harness.client.packages()).find(({ name }) => name === "suite")!;
    const question = await browser.run(async ({ page, show }, suite) => {
      await show(`packages/${suite}`);
      await page.getByRole("button", { name: "Remove the version" }).click();
      const dialog = page.getByRole("dialog");
      const text = await dialog.innerText();
      await dialog.getByRole("button", { name: "Remove the version" }).click();
      await page.getByRole("heading", { level: 1, name: "Packages" }).waitFor();
      return text;
    }, id);
    expect(question).toContain("Devices keep their copies");
    expect((await harness.client.packages()).map(({ name }) => name)).toEqual(["tool"]);
  },
  limitMs,
);

test(
  "names the commands that publish and that sign, once the source has no keys",
  async () => {
    const keys = join(harness.folder, "keys");
    await harness.source.admin("trust", "export", "--data", harness.source.data, "--out", keys);
    await signIn();
    const seen = await browser.run(async ({ page, show }) => {
      await show("packages/new");
      const publishing = await page.locator("main").innerText();
      await show("tasks/new");
      await page.locator("#package").selectOption("tool");
      await page.locator(".target-count").filter({ hasText: "2 devices" }).waitFor();
      await page.locator("form.wizard [type=submit]").click();
      await page.getByRole("button", { name: "Create the task" }).click();
      await page.getByRole("heading", { level: 1, name: /waits for a signature$/ }).waitFor();
      return { publishing, task: await page.locator("main").innerText() };
    }, null);
    expect(seen.publishing).toContain("flockcast-source publish PATH");
    expect(seen.task).toContain("flockcast-source trust sign --all --operator-key FILE");
  },
  limitMs,
);
