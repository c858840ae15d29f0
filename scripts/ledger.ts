/** What a device's ledger says, read beside the running agent: who it is, and whether a chunk came twice. */
import { openLedgerReadOnly } from "../shared/cache/index.ts";
import type { LedgerPackage } from "../shared/cache/index.ts";

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
