import { describe, expect, test } from "bun:test";
import * as darwin from "../../platform/darwin.ts";
import * as linux from "../../platform/linux.ts";
import * as windows from "../../platform/windows.ts";
import { defaultReceiveBufferBytes, parseReceiveBuffer, receiveBufferAdvice } from "./receive-buffer.ts";

const systems = { linux, darwin, windows };

describe("the receive buffer", () => {
  test("is asked for as a person writes it", () => {
    expect(parseReceiveBuffer(undefined)).toBe(defaultReceiveBufferBytes);
    expect(parseReceiveBuffer("208KiB")).toBe(212_992);
    expect(parseReceiveBuffer("4MiB")).toBe(4_194_304);
  });

  test.each(["", "many", "1KiB", "2GiB", "-1"])("%p is refused with what may stand there", (text) => {
    expect(() => parseReceiveBuffer(text)).toThrow(`"${text}" is `);
  });

  test.each([
    [4_194_304, 4_194_304, "linux", null],
    [212_992, 4_194_304, "linux", null],
    [4_194_304, 212_992, "linux", "sysctl -w net.core.rmem_max=4194304"],
    [4_194_304, 786_896, "darwin", "sysctl -w kern.ipc.maxsockbuf=8388608"],
    [4_194_304, 65_536, "windows", "lost; ask for less with --receive-buffer"],
  ] as const)("asked for %p and given %p on %s: %p", (asked, given, system, advice) => {
    const said = receiveBufferAdvice(asked, given, systems[system]);
    if (advice === null) expect(said).toBeNull();
    else expect(said).toContain(advice);
  });
});
