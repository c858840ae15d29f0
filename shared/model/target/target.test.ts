import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { foldedName, matchesPattern } from "../glob.ts";
import { comparisons, TargetError, targetDepthMax, type Target } from "./target-expression.ts";
import { matcherOf, parseTarget, printTarget, referencesOf, targetWords, type TargetView } from "./index.ts";

const view: TargetView = {
  id: "00112233aabbccdd",
  names: ["PC-17"],
  tags: ["b7", "Größe"],
  subnet: { id: "0123456789abcdef", cidr: "10.1.2.0/24", name: "floor-2" },
  site: "Hamburg",
  os: "Windows_NT 10.0.22631",
  arch: "x64",
  agentVersion: "0.1.9",
  deviceClass: "laptop",
  medium: "wired",
  onBattery: true,
  memoryBytes: 8 * 1_073_741_824,
  diskFreeBytes: 9e9,
  cacheBytes: 0,
  resultIn: (taskId) => (taskId === 17 ? "failed" : taskId === 18 ? "complete" : null),
  versionsOf: (name, how) => (name === "editor" ? (how === "has" ? ["4.2.0"] : ["4.2.0", "5.0"]) : []),
};
const bare: TargetView = {
  ...view,
  subnet: null,
  site: null,
  deviceClass: "unknown",
  onBattery: undefined,
  memoryBytes: undefined,
};
const matches = (text: string, device: TargetView = view): boolean => matcherOf(parseTarget(text))(device);

test.each([
  ["all", true],
  ["device:00112233aabbccdd", true],
  ["device:ffffffffffffffff", false],
  ["group:b7", true],
  ["group:b", false],
  ["subnet:10.0.0.0/8", true],
  ["subnet:10.1.2.0/25", false],
  ["subnet:fd00::/8", false],
  ["pc-17", true],
  ["pc-1, PC-17", true],
  ["00112233aabbccdd,pc-1", true],
  ["pc-1", false],
  ["os=windows and class=laptop and tag=b7", true],
  ["os=windows and class=laptop and tag=b8", false],
  ["os=linux or tag=b7", true],
  ["not os=linux", true],
  ["not (os=linux or tag=b7)", false],
  ["os!=linux", true],
  ["OS=Windows AND NOT tag=x", true],
  ["os=linux or os=windows and tag=x", false],
  ["(os=linux or os=windows) and tag=b7", true],
  ["all and not tag=b7", false],
  ["group:b7 and subnet:10.0.0.0/8", true],
  ["name=pc-*", true],
  ["name=pc-??", true],
  ["name=pc-?", false],
  ["name in (a, pc-17)", true],
  ["name not in (a, b)", true],
  ['name="pc-17"', true],
  ["tag=grö*", true],
  ["site=hamburg", true],
  ["site=none", false],
  ["subnet=floor-2", true],
  ["subnet=floor-*", true],
  ["subnet=0123456789abcdef", true],
  ["subnet=10.1.2.0/24", true],
  ["os-version>=10.0.22000", true],
  ["os-version<10", false],
  ["agent<0.2.0", true],
  ["agent=0.1.9", true],
  ["agent>0.1.9", false],
  ["memory>=8GiB", true],
  ["memory>8GiB", false],
  ["disk-free<10GB", true],
  ["battery=yes", true],
  ["medium=wireless", false],
  ["failed-in=17", true],
  ["failed-in=18", false],
  ["complete-in in (17, 18)", true],
  ["has=editor", true],
  ["has=Editor@4.2", true],
  ["has=editor@5", false],
  ["holds=editor@>=5", true],
  ["lacks=editor@4.2", false],
  ["lacks=editor@>=4.3", true],
  ["(has=editor@<5)", true],
  ["lacks=office", true],
])("matches the target %s: %p", (text, expected) => {
  expect(matches(text)).toBe(expected);
});

test.each([
  ["class=laptop", false],
  ["not class=laptop", false],
  ["class!=laptop", false],
  ["class=unknown", true],
  ["battery=no", false],
  ["not battery=no", false],
  ["memory<1GB or memory>=1GB", false],
  ["not subnet=10.0.0.0/8", false],
  ["not site=Kiel", false],
  ["site=none", false],
  ["failed-in=99", false],
  ["not failed-in=99", false],
  ["class=laptop or tag=b7", true],
  ["not (class=laptop and tag=x)", true],
  ["class not in (laptop, unknown)", false],
])("treats a fact that the device has not stated as unknown in %s: %p", (text, expected) => {
  expect(matches(text, bare)).toBe(expected);
});

test("matches a subnet without a site by site=none only", () => {
  const unassigned = { ...view, site: null };
  expect(["site=none", "site=Kiel", "not site=Kiel"].map((text) => matches(text, unassigned))).toEqual([
    true,
    false,
    false,
  ]);
});

test.each([
  ["", 1, "the target is empty: write all, or for example tag=b7"],
  ["os=windows and oss=linux", 16, 'unknown word at column 16: "oss", there are: name, device, tag,'],
  ["os=windows tag=b7", 12, 'expected "and", "or" or the end at column 12, found "tag"'],
  ["(os=windows", 12, 'expected ")" at column 12, found the end'],
  ["os=windows)", 11, 'expected "and", "or" or the end at column 11, found ")"'],
  ["os", 3, 'expected =, !=, in after "os" at column 3, found the end'],
  ["os=", 4, "expected a value at column 4, found the end"],
  ["os<5", 3, '"os" does not compare with < at column 3: use one of = != in'],
  ["agent == 1", 8, "unexpected = at column 8: write one operator"],
  ["class=tablet", 7, '"tablet" at column 7 is not a value of "class", there are: server,'],
  ["memory>much", 8, '"much" at column 8 is not a size: write for example'],
  ["failed-in=x", 11, '"x" at column 11 is not the number of a task: task list shows them'],
  ["has=@1", 5, '"@1" at column 5 is not a package: write NAME'],
  ["device:17", 8, '"17" at column 8 is not the id of a device'],
  ["subnet:10.0.0.0/99", 8, '"10.0.0.0/99" at column 8 is not a subnet'],
  ["name in a", 9, 'expected "(" at column 9, found "a"'],
  ["name not a", 10, 'expected "in" after "not" at column 10'],
  ['name="a', 6, "no closing quote for the one at column 6"],
  ["größe=1", 1, 'unknown word at column 1: "größe"'],
  ["tag=ö and x", 11, 'unknown word at column 11: "x"'],
  ["and", 1, 'unknown word at column 1: "and"'],
])("refuses %j at column %i: %s", (text, column, message) => {
  let error: unknown;
  try {
    parseTarget(text);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(TargetError);
  expect((error as TargetError).message).toStartWith(message);
  expect((error as TargetError).column).toBe(column);
});

const deep = (count: number): string => `${"(".repeat(count)}tag=a${")".repeat(count)}`;

describe("bounds", () => {
  test("refuses a target that is too long or too deep", () => {
    expect(matches(deep(targetDepthMax).replace("tag=a", "tag=b7"))).toBe(true);
    expect(() => parseTarget(deep(targetDepthMax + 1))).toThrow(/inside each other/);
    expect(() => parseTarget(`${"not ".repeat(500)}tag=a`)).toThrow(/inside each other/);
    expect(() => parseTarget(`name=${"a".repeat(2_100)}`)).toThrow(/at most 2048 characters/);
    expect(() => parseTarget(`name=${"a".repeat(300)}`)).toThrow(/is too long/);
    expect(matches(Array.from({ length: 150 }, () => "tag=b7").join(" and "))).toBe(true);
  });

  test("matches a pattern of many stars, for which a regular expression would take years", () => {
    expect(matchesPattern("*a".repeat(120), "a".repeat(119) + "b".repeat(130))).toBe(false);
  });
});

const valueOf = (kind: string): fc.Arbitrary<string> => {
  switch (kind) {
    case "size":
      return fc.nat().map((count) => `${count}MB`);
    case "task":
      return fc.integer({ min: 1, max: 1e9 }).map(String);
    case "package":
      return fc.constantFrom("editor", "editor@4.2", "editor@>=4.2", "editor@!=1", "a b@<2");
    case "device":
      return fc.stringMatching(/^[0-9a-f]{16}$/);
    case "subnet":
      return fc.constantFrom("10.0.0.0/8", "fd00::/8", "floor 2", "0123456789abcdef");
    default:
      return fc
        .string({ minLength: 1, maxLength: 40, unit: "grapheme" })
        .map((text) => text.normalize("NFC"))
        .filter((text) => text !== "" && text.length < 256);
  }
};
const testTree = fc.constantFrom(...Object.entries(targetWords)).chain(([word, row]) => {
  const value: fc.Arbitrary<string> =
    row.kind === "choice" ? fc.constantFrom<string>(...row.choices) : valueOf(row.kind);
  const ordered = row.kind === "version" || row.kind === "size";
  return fc.oneof(
    fc.record({
      kind: fc.constant("test" as const),
      word: fc.constant(word as keyof typeof targetWords),
      operator: fc.constantFrom(...(ordered ? comparisons : (["=", "!="] as const))),
      values: value.map((one) => [one]),
    }),
    fc.record({
      kind: fc.constant("test" as const),
      word: fc.constant(word as keyof typeof targetWords),
      operator: fc.constantFrom("in" as const, "not in" as const),
      values: fc.array(value, { minLength: 1, maxLength: 3 }),
    }),
  );
});
const { tree } = fc.letrec<{ tree: Target }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    testTree as fc.Arbitrary<Target>,
    fc.constant<Target>({ kind: "all" }),
    fc.record({ kind: fc.constant("not" as const), part: tie("tree") }),
    fc.record({
      kind: fc.constantFrom("and" as const, "or" as const),
      parts: fc.array(tie("tree"), { minLength: 2, maxLength: 3 }),
    }),
  ),
}));

test("prints every target as text that parses to an equal one", () => {
  fc.assert(
    fc.property(tree, (target) => {
      const text = printTarget(target);
      fc.pre(text.length <= 2_048);
      expect(parseTarget(text)).toEqual(target);
    }),
    { numRuns: 500 },
  );
  expect(printTarget(parseTarget("a-1,b"))).toBe("a-1,b");
  expect(printTarget(parseTarget("subnet:10.0.0.0/8"))).toBe("subnet=10.0.0.0/8");
});

test("answers any text with a target or a TargetError", () => {
  const piece = fc.oneof(
    fc.constantFrom("and", "or", "not", "in", "(", ")", ",", "=", "!=", "<", '"', "\\", " ", "all", "@"),
    fc.constantFrom(...Object.values(targetWords).map(({ example }) => example)),
    fc.string({ maxLength: 5, unit: "binary" }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), fc.constantFrom("", " "), (pieces, between) => {
      const text = pieces.join(between);
      try {
        const target = parseTarget(text);
        matcherOf(target)(view);
        expect(parseTarget(printTarget(target))).toEqual(target);
      } catch (error) {
        if (!(error instanceof TargetError)) throw error;
        expect(error.column).toBeGreaterThan(0);
        expect(error.column).toBeLessThanOrEqual(Math.max(1, [...text.normalize("NFC")].length + 1));
      }
    }),
    { numRuns: 2_000 },
  );
});

test("never matches a target and its negation on one device", () => {
  fc.assert(
    fc.property(tree, fc.constantFrom(view, bare), (target, device) => {
      const both = [target, { kind: "not", part: target } as Target].map((one) => matcherOf(one)(device));
      expect(both).not.toEqual([true, true]);
    }),
  );
});

test("finds the names that a target mentions, without patterns", () => {
  const found = referencesOf(
    parseTarget("tag=b7 and not (site in (Kiel, none) or failed-in=17) or has=Editor@1 and group=x*"),
  );
  expect(
    [found.tags, found.sites, found.tasks, found.packages].map((set) => Array.from<string | number>(set)),
  ).toEqual([["b7"], ["Kiel"], [17], ["editor"]]);
});

test("has an example in the table of words for each of them that parses", () => {
  for (const [word, { example }] of Object.entries(targetWords))
    expect(parseTarget(example)).toMatchObject({ kind: "test", word });
  expect(foldedName("Grösse")).toBe("grösse");
});
