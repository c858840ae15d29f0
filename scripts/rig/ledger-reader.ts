/**
 * Reads a device's ledger while its agent runs: device id, packages with the receipts of their
 * chunks, tasks. Opens the ledger read-only and closes it after each call.
 */
import { openLedgerReadOnly } from "../../shared/cache/index.ts";
import { parseTaskRow } from "../../shared/device/task-record.ts";
import type { LedgerPackage } from "../../shared/cache/index.ts";

/** Returns the device id; null until the device has enrolled. */
export function deviceIdOf(dataFolder: string): string | null {
  try {
    const ledger = openLedgerReadOnly(dataFolder);
    try {
      return ledger.identity()?.deviceId ?? null;
    } finally {
      ledger.close();
    }
  } catch {
    // The ledger does not exist yet, or is being created.
    return null;
  }
}

/**
 * Returns the packages of the ledger. A `receiptsMax` above 1 means that a verified chunk crossed
 * the network again.
 * @throws Error when the ledger cannot be opened
 */
export function ledgerPackages(dataFolder: string): LedgerPackage[] {
  const ledger = openLedgerReadOnly(dataFolder);
  try {
    return ledger.packages();
  } finally {
    ledger.close();
  }
}

/** Returns the tasks of the ledger with their `life` (docs/GLOSSARY.md); empty without a ledger. */
export function ledgerTasks(dataFolder: string): { readonly taskId: number; readonly life: string }[] {
  try {
    const ledger = openLedgerReadOnly(dataFolder);
    try {
      return ledger.tasks().map(({ taskId, state }) => ({ taskId, life: parseTaskRow(state)?.life ?? "" }));
    } finally {
      ledger.close();
    }
  } catch {
    // The ledger does not exist yet, or its disk is full.
    return [];
  }
}
