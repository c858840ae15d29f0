import { describe, expect, test } from "bun:test";
import { fallbackTokenMs, FallbackTokens, fallbackTokensMax, fallbackTurnMs } from "./fallback-tokens.ts";

const of = (device: number, share = "s") => ({ packageId: "p", share, deviceId: `d${device}` });

describe("WAN fallback tokens", () => {
  test("are granted to one of twenty devices of a subnet, and to the next after their return", () => {
    const tokens = new FallbackTokens();
    const answers = Array.from({ length: 20 }, (_, at) => tokens.ask(of(at), 0).result);
    expect(answers.filter((result) => result === "granted")).toHaveLength(1);
    expect(tokens.ask(of(0), 1_000).result).toBe("granted");
    tokens.giveBack(of(0));
    expect(tokens.ask(of(7), 2_000).result).toBe("granted");
    expect(tokens.ask(of(8), 2_000).result).toBe("refused");
  });

  test("expire after a minute when the device failed", () => {
    const tokens = new FallbackTokens();
    tokens.ask(of(0), 0);
    expect(tokens.ask(of(1), fallbackTokenMs - 1).result).toBe("refused");
    expect(tokens.ask(of(1), fallbackTokenMs).result).toBe("granted");
  });

  test("expire when the clock was set back", () => {
    const tokens = new FallbackTokens();
    tokens.ask(of(0), 3_600_000);
    expect(tokens.ask(of(1), 0).result).toBe("granted");
  });

  test("are bounded for all subnets of a source together", () => {
    const tokens = new FallbackTokens();
    const answers = Array.from({ length: 50 }, (_, at) => tokens.ask(of(at, `s${at}`), 0).result);
    expect(answers.filter((result) => result === "granted")).toHaveLength(fallbackTokensMax);
  });

  test("are one for a device, whatever subnets and packages it names", () => {
    const tokens = new FallbackTokens();
    for (let at = 0; at < 50; at++) tokens.ask(of(0, `s${at}`), 0);
    tokens.ask({ ...of(0, "s49"), packageId: "q" }, 0);
    const others = Array.from({ length: 50 }, (_, at) => tokens.ask(of(at + 1, `t${at}`), 0).result);
    expect(others.filter((result) => result === "granted")).toHaveLength(fallbackTokensMax - 1);
  });

  test("end after a turn while another device of the subnet waits, which gets the next one", () => {
    const tokens = new FallbackTokens();
    tokens.ask(of(0), 0);
    for (let nowMs = 20_000; nowMs < 2 * fallbackTurnMs; nowMs += 20_000)
      expect(tokens.ask(of(0), nowMs).result).toBe("granted");
    expect(tokens.ask(of(1), 2 * fallbackTurnMs).result).toBe("refused");
    expect(tokens.ask(of(0), 2 * fallbackTurnMs + 1).result).toBe("refused");
    expect(tokens.ask(of(0), 2 * fallbackTurnMs + 2).result).toBe("refused");
    expect(tokens.ask(of(1), 2 * fallbackTurnMs + 10_000).result).toBe("granted");
  });

  test("end when their device leaves its subnet", () => {
    const tokens = new FallbackTokens();
    tokens.ask(of(0), 0);
    tokens.giveUp("d0");
    expect(tokens.isHeldBy("d0", "p", 1)).toBe(false);
    expect(tokens.ask(of(1), 1).result).toBe("granted");
  });
});
