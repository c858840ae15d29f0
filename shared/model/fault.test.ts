import { expect, test } from "bun:test";
import { faultCases } from "../../scripts/bench/fault-rows.ts";
import { faultNameOf, faultKinds } from "../../scripts/chaos/fault-kinds.ts";
import { faultsOfImpairments } from "../../scripts/lab/impairment.ts";
import { faultsOfScenarios } from "../../scripts/lab/options.ts";
import { faultNames } from "../simulation/index.ts";
import { faults, type FaultName } from "./fault.ts";

test("every fault of the vocabulary is injected by a tool", () => {
  const chaos = faultKinds.flatMap((kind) => ["wan", "peer"].map((whom) => faultNameOf({ kind, whom })));
  const lab = [...Object.values(faultsOfImpairments), ...Object.values(faultsOfScenarios)];
  const bench = Object.values(faultCases).flatMap(({ faults: injected }) => injected);
  const injected = new Set<FaultName | null>([...faultNames, ...chaos, ...lab, ...bench]);
  injected.delete(null);
  expect([...injected].toSorted()).toEqual((Object.keys(faults) as FaultName[]).toSorted());
});
