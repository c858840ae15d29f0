import { describe, expect, test } from "bun:test";
import { fallbackTokenMs, FallbackTokens, fallbackTokensMax } from "./fallback-tokens.ts";

const of = (device: number, subnetId = "s") => ({ packageId: "p", subnetId, deviceId: `d${device}` });

describe("tokens to download alone", () => {
  test("of twenty devices of one subnet that ask, one gets it; the next when it is given back", () => {
    const tokens = new FallbackTokens();
    const answers = Array.from({ length: 20 }, (_, at) => tokens.ask(of(at), 0).result);
    expect(answers.filter((result) => result === "granted")).toHaveLength(1);
    expect(tokens.ask(of(0), 1_000).result).toBe("granted");
    tokens.giveBack(of(0));
    expect(tokens.ask(of(7), 2_000).result).toBe("granted");
    expect(tokens.ask(of(8), 2_000).result).toBe("refused");
  });

  test("a device that died keeps nobody waiting longer than a minute", () => {
    const tokens = new FallbackTokens();
    tokens.ask(of(0), 0);
    expect(tokens.ask(of(1), fallbackTokenMs - 1).result).toBe("refused");
    expect(tokens.ask(of(1), fallbackTokenMs).result).toBe("granted");
  });

  test("a clock that is set back leaves no token with a device that is gone", () => {
    const tokens = new FallbackTokens();
    tokens.ask(of(0), 3_600_000);
    expect(tokens.ask(of(1), 0).result).toBe("granted");
  });

  test("many subnets that fall apart at once do not all come to the source", () => {
    const tokens = new FallbackTokens();
    const answers = Array.from({ length: 50 }, (_, at) => tokens.ask(of(at, `s${at}`), 0).result);
    expect(answers.filter((result) => result === "granted")).toHaveLength(fallbackTokensMax);
  });
});
