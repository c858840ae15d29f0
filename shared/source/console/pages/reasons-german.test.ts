/** German words of reasons: every code, its parameters, and quantities as German writes them. */
import { describe, expect, test } from "bun:test";
import { sampleReasons } from "../../../../scripts/generate/reasons.ts";
import { plainQuantities } from "../../../model/quantities.ts";
import { englishTexts, reason, reasonsText, reasonText, type ReasonLanguage } from "../../../model/reason.ts";
import { reasonTable } from "../../../model/reason-table.ts";
import { quantitiesIn } from "./format.ts";
import { germanTexts } from "./reasons-german.ts";

const german: ReasonLanguage = { texts: germanTexts, quantities: quantitiesIn("de-DE") };
/** Reasons whose words are those of a parameter. */
const bare: ReadonlySet<string> = new Set(["changes-subnet", "no-session", "problem"]);

describe("the German words of reasons", () => {
  test("are there for every code, in the order of no other table", () => {
    expect(Object.keys(germanTexts).toSorted()).toEqual(Object.keys(reasonTable).toSorted());
  });

  test("have every text that the English words have, and are other words", () => {
    for (const sample of sampleReasons()) {
      const plain = { texts: germanTexts, quantities: plainQuantities };
      const [english, words] = [reasonText(sample), reasonText(sample, plain)];
      for (const [, value] of Object.entries(sample))
        if (typeof value === "string" && english.includes(value) && value !== sample.code)
          expect([sample.code, words]).toEqual([sample.code, expect.stringContaining(value)]);
      expect([sample.code, words === english]).toEqual([sample.code, bare.has(sample.code)]);
    }
  });

  test("write times, durations, rates, shares and numbers as German does", () => {
    const multicasts = { peers: 1_200, unicast: 0, percent: 9, lossPermille: 12, queuedMs: null };
    expect(reasonText(reason("multicasts", { ...multicasts, rateBps: 1_500_000 }), german)).toBe(
      "Multicast 9 % an 1.200 Teilnehmer mit 1,5\u00a0Mbit/s, mittlerer Verlust 1,2 %",
    );
    const timedOut = reason("timed-out", { limitMs: 5_400_000, line: "", taskId: 3 });
    expect(reasonText(timedOut, german)).toBe(
      "der Befehl lief länger als 1 Std. 30 Min. und wurde beendet: er hat nichts geschrieben",
    );
    const atMs = Date.UTC(2030, 0, 31, 12);
    const starts = reasonText(reason("starts-at", { atMs }), german);
    expect(starts).toContain("2030");
    expect(starts).not.toContain("T12:00");
    const parts = { multicast: 995, peers: 5, wan: 0, cache: 0, totalBytes: 1_000 };
    expect(reasonText(reason("complete", parts), german)).toBe(
      "vollständig: 99\u00a0% über Multicast, <1\u00a0% von Nachbarn",
    );
  });

  test("follow each other as the English ones, with a cause in brackets", () => {
    const reasons = [reason("takes-unicast", { device: "pc-1" }), reason("wireless")];
    expect(reasonsText(reasons, german)).toBe(
      "nimmt Stücke von Vertreter pc-1 und anderen über LAN-Unicast (an einer Funkschnittstelle, wo Multicast langsam und verlustreich ist)",
    );
    expect(reasonsText([{ code: "of-a-later-version", count: 2 }], german)).toBe(
      "of-a-later-version (count 2)",
    );
  });

  test("leave the English words to the commands", () => {
    const starts = reason("starts-at", { atMs: Date.UTC(2030, 0, 31, 22) });
    expect(reasonText(starts, { texts: englishTexts, quantities: plainQuantities })).toBe(
      "starts at 2030-01-31T22:00:00.000Z",
    );
  });
});
