/** The chaos lab's options: those of the lab, with a smaller world of its own unless the command line says otherwise. */
import { labCommand, type LabOptions } from "../lab/options.ts";
import { UsageError } from "../ending.ts";
import { faultKinds, type FaultKind } from "./kinds.ts";

export type ChaosOptions = Pick<
  LabOptions,
  "subnets" | "devices" | "wan" | "lan" | "lanRate" | "size" | "package" | "delay" | "compiled" | "timeout"
> & { readonly kinds: readonly FaultKind[]; readonly seed: number; readonly times: number };

/** So that one run of one fault takes ten seconds. */
const smallWorld = { devices: 4, wan: 30, size: 12, delay: 1, timeout: 90 } as const;

const sizeOf = (options: LabOptions, name: keyof typeof smallWorld): number =>
  labCommand.getOptionValueSource(name) === "default" ? smallWorld[name] : options[name];

const kindsOf = ({ fault }: LabOptions): readonly FaultKind[] => fault ?? faultKinds;

/** For that a device's disk is a file system of its own. */
export const fillsDisks = (options: LabOptions): boolean => kindsOf(options).includes("disk-full");

/** @throws UsageError when the world has no place for a fault */
export function chaosOptions(options: LabOptions): ChaosOptions {
  const kinds = kindsOf(options);
  if (options.subnets < 2 && kinds.includes("move"))
    throw new UsageError(
      "A device cannot move to another subnet when there is one: give --subnets 2, or --fault …",
    );
  return {
    ...options,
    devices: sizeOf(options, "devices"),
    wan: sizeOf(options, "wan"),
    size: sizeOf(options, "size"),
    delay: sizeOf(options, "delay"),
    timeout: sizeOf(options, "timeout"),
    kinds,
  };
}
