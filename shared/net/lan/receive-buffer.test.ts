import { describe, expect, test } from "bun:test";
import * as darwin from "../../platform/darwin.ts";
import * as linux from "../../platform/linux.ts";
import * as windows from "../../platform/windows.ts";
import { defaultReceiveBufferBytes, parseReceiveBuffer, receiveBufferAdvice } from "./receive-buffer.ts";

const systems = { linux, darwin, windows };

describe("the receive buffer", () => {
  test("parses a size with a unit, and defaults to 4 MiB", () => {
    expect(parseReceiveBuffer(undefined)).toBe(defaultReceiveBufferBytes);
    expect(parseReceiveBuffer("208KiB")).toBe(212_992);
    expect(parseReceiveBuffer("4MiB")).toBe(4_194_304);
  });

  test.each(["", "many", "1KiB", "2GiB", "-1"])("refuses %p and quotes it", (text) => {
    expect(() => parseReceiveBuffer(text)).toThrow(`"${text}" is `);
  });

  test.each([
    [4_194_304, 4_194_304, "linux", null],
    [212_992, 4_194_304, "linux", null],
    [4_194_304, 212_992, "linux", "sysctl -w net.core.rmem_max=4194304"],
    [4_194_304, 786_896, "darwin", "sysctl -w kern.ipc.maxsockbuf=8388608"],
    [4_194_304, 65_536, "windows", "lost; ask for less with --receive-buffer"],
  ] as const)("advises, when %p was requested and %p granted on %s: %p", (asked, given, system, advice) => {
    const text = receiveBufferAdvice(asked, given, systems[system]);
    if (advice === null) expect(text).toBeNull();
    else expect(text).toContain(advice);
  });
});
