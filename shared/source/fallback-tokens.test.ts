import { describe, expect, test } from "bun:test";
import { fallbackTokenMs, FallbackTokens, fallbackTokensMax } from "./fallback-tokens.ts";

const of = (device: number, subnetId = "s") => ({ packageId: "p", subnetId, deviceId: `d${device}` });

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
});
