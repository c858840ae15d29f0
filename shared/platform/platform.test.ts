import { expect, test } from "bun:test";
import * as darwin from "./darwin.ts";
import * as linux from "./linux.ts";
import type { Platform } from "./platform.ts";
import * as windows from "./windows.ts";

const others = { darwin, windows };
const own: Record<string, readonly string[]> = {
  darwin: ["hardwarePorts", "gatewaysIn", "classOf", "programsIn", "idleMsIn"],
  windows: [],
};

const kinds = (system: Partial<Platform>): Record<string, string> =>
  Object.fromEntries(Object.entries(system).map(([key, value]) => [key, typeof value]));

test.each(["darwin", "windows"] as const)(
  "%s exports the same names as linux, with the same types",
  (name) => {
    const found = kinds(others[name]);
    for (const key of own[name]!) delete found[key];
    const expected = kinds(linux);
    // Takes the folder of the interfaces, for tests.
    delete expected["kernelInterfaces"];
    // Windows alone has to be told that a service runs.
    for (const names of [found, expected]) names["connectToManager"] = "function or null";
    expect(found).toEqual(expected);
  },
);
