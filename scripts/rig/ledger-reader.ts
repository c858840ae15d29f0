/** What a device's ledger says, read beside the running agent: who it is, and whether a chunk came twice. */
import { openLedgerReadOnly } from "../../shared/cache/index.ts";
import { parseTaskRow } from "../../shared/device/task-record.ts";
import type { LedgerPackage } from "../../shared/cache/index.ts";

/** Null until the device has enrolled. */
export function deviceIdOf(dataFolder: string): string | null {
  try {
    const ledger = openLedgerReadOnly(dataFolder);
    try {
      return ledger.identity()?.deviceId ?? null;
    } finally {
      ledger.close();
    }
  } catch {
    // No ledger yet, or it is just being made.
    return null;
  }
}

/** Packages as the ledger lists them; `receiptsMax` above 1 says that a verified chunk crossed the network again. */
export function ledgerPackages(dataFolder: string): LedgerPackage[] {
  const ledger = openLedgerReadOnly(dataFolder);
  try {
    return ledger.packages();
  } finally {
    ledger.close();
  }
}

/** Tasks as the ledger lists them; empty while it cannot be read. */
export function ledgerTasks(dataFolder: string): { readonly taskId: number; readonly life: string }[] {
  try {
    const ledger = openLedgerReadOnly(dataFolder);
    try {
      return ledger.tasks().map(({ taskId, state }) => ({ taskId, life: parseTaskRow(state)?.life ?? "" }));
    } finally {
      ledger.close();
    }
  } catch {
    // Not made yet, or on a disk that is full.
    return [];
  }
}
