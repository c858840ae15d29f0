/** Users of the console tests, and windows of the browser in which one of them is signed in. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser } from "../scripts/rig/browser.ts";
import type { Role } from "../shared/model/role.ts";
import type { Harness } from "./harness.ts";

/** Password of every user. */
export const password = "correct horse battery";

/** Adds users with the password. @returns the file with the password */
export async function addUsers(
  { folder, source }: Harness,
  users: Readonly<Record<string, Role>>,
): Promise<string> {
  const file = join(folder, "password");
  await writeFile(file, `${password}\n`);
  for (const [name, role] of Object.entries(users))
    await source.admin("user", "add", name, "--role", role, "--password-file", file);
  return file;
}

export type Look = {
  readonly colorScheme?: "light" | "dark";
  readonly width?: number;
  readonly language?: string;
  readonly timezoneId?: string;
};

/** Opens a new window of the browser and signs in. */
export const signInAt = (
  browser: Browser,
  url: string,
  user: string,
  { colorScheme = "light", width = 1280, language = "en-GB", timezoneId = "UTC" }: Look = {},
): Promise<void> =>
  browser.run(
    async ({ open }, given) => {
      const page = await open({
        colorScheme: given.colorScheme,
        timezoneId: given.timezoneId,
        locale: given.language,
        viewport: { width: given.width, height: 900 },
      });
      await page.goto(given.url);
      await page.locator("[name=user]").fill(given.user);
      await page.locator("[name=password]").fill(given.password);
      await page.locator("[type=submit]").click();
      await page.locator("nav.pages").waitFor();
    },
    { colorScheme, width, language, timezoneId, user, password, url },
  );
