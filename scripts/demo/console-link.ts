/**
 * Console of the demo's source: a user, a link that signs the browser in once, and the default
 * browser of the person.
 */
import { randomBytes } from "node:crypto";
import type { AdminClient } from "../../shared/api/agent-client.ts";
import { platform } from "../../shared/platform/index.ts";
import type { Cleanup } from "../rig/cleanup.ts";

export const demoUser = "demo";
const stayMs = 10 * 60_000;
/** Time in which a program that opens the browser reports a failure; some stay while it runs. */
const openMs = 5_000;

/** Adds an administrator whose password nobody knows, and returns the link. */
export async function consoleLink(client: AdminClient, url: string): Promise<string> {
  const password = randomBytes(24).toString("base64url");
  await client.addUser({ name: demoUser, role: "administrator", password });
  const { secret } = await client.signInLink(demoUser);
  return `${url}/#/sign-in/${secret}`;
}

/** Opens an address in the default browser. @returns whether a program took it */
async function openInBrowser(address: string): Promise<boolean> {
  try {
    const child = Bun.spawn([...platform.browserCommand(address)], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
    });
    child.unref();
    return (await Promise.race([child.exited, Bun.sleep(openMs).then(() => 0)])) === 0;
  } catch {
    return false;
  }
}

export async function showInBrowser(link: string): Promise<void> {
  if (await openInBrowser(link)) return;
  console.log("No browser could be started: open the link above in one on this machine.");
}

/** Waits for Enter, a signal, or the end of 10 minutes. */
export async function untilSeen(cleanup: Cleanup): Promise<void> {
  console.log("\nThe console stays for 10 minutes: press Enter to end the demo.");
  const entered = new Promise<void>((resolve) => process.stdin.once("data", () => resolve()));
  await Promise.race([entered, Bun.sleep(stayMs), cleanup.untilInterrupted()]);
}
