/**
 * Signatures that Windows checks (Authenticode), made by a program of the person who builds: it
 * gets the path of an executable or an .msi, and signs the file in place. The key may be in a file,
 * a token or a service.
 */
import { resolve } from "node:path";
import { Option } from "@commander-js/extra-typings";

export const signProgramOption = new Option(
  "--sign-program <file>",
  "program that signs the executables and packages for Windows in place; it gets the path of each",
).env("FLOCKCAST_SIGN_PROGRAM");

/** @throws Error with the output of the program */
export async function signForWindows(program: string | undefined, file: string): Promise<void> {
  if (program === undefined) return;
  const options = { stdin: "ignore", stdout: "pipe", stderr: "pipe" } as const;
  const child = Bun.spawn([resolve(program), file], options);
  const [out, err, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (status !== 0)
    throw new Error(`"${program}" did not sign "${file}" (status ${status}): ${`${out}${err}`.trim()}`);
}
