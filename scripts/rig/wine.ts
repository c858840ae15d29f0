/**
 * Windows executables under Wine: a prefix of its own, and the environment to run in it.
 *
 * Wine opens sockets in its server. The server, which the first command starts, must therefore run
 * in the network namespace of the device: one prefix for each device.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { forwarderDll } from "./forwarder-dll.ts";
import { outputOf } from "./process.ts";

/** Path in Debian, whose package `wine64` puts no program on the PATH. */
const debianWine = "/usr/lib/wine/wine64";
/** Server of a prefix, which all programs of Wine there are connected to. */
export const wineServer = "/usr/lib/wine/wineserver64";
/** Program of Wine → Debian package. */
export const winePrograms: Readonly<Record<string, string>> = { [debianWine]: "wine64" };

export type Wine = {
  /** Words before the path of an executable. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
};

/**
 * Makes a prefix that reports Windows 10, as the runtime requires.
 * @param inNamespace words that run a command in the namespace of the device; empty for this one
 * @throws Error when Wine does not start
 */
export async function openWine(prefix: string, inNamespace: readonly string[]): Promise<Wine> {
  await mkdir(dirname(prefix), { recursive: true });
  const environment = {
    WINEPREFIX: prefix,
    WINEARCH: "win64",
    WINEDEBUG: "-all",
    // Otherwise Wine offers to download .NET and a browser.
    WINEDLLOVERRIDES: "mscoree,mshtml=",
  };
  const wine = (...words: string[]) => outputOf([...inNamespace, debianWine, ...words], { env: environment });
  await wine("wineboot", "-i");
  await wine("reg", "add", String.raw`HKCU\Software\Wine`, "/v", "Version", "/d", "win10", "/f");
  return { command: [debianWine], environment };
}

/**
 * Puts the library of the runtime's random numbers, which Wine has since version 9, into the folder
 * of an executable.
 */
export const addRandomLibrary = (folder: string): Promise<void> =>
  writeFile(
    join(folder, "bcryptprimitives.dll"),
    forwarderDll("bcryptprimitives.dll", "ProcessPrng", "advapi32.SystemFunction036"),
  );
