/** Check of an exported audit: the chain of its rows, and its first and last line. */
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import * as v from "valibot";
import { auditExportEndSchema, auditExportHeadSchema, auditRowSchema } from "../../api/schema/audit.ts";
import { AuditCheck, type AuditBeginning } from "../../model/audit.ts";

export type AuditFileCheck = {
  readonly rows: number;
  readonly head: AuditBeginning;
  /** Null: all rows are in order. */
  readonly broken: string | null;
};

function parse<S extends v.GenericSchema>(schema: S, line: string): v.InferOutput<S> | null {
  try {
    const parsed = v.safeParse(schema, JSON.parse(line));
    return parsed.success ? parsed.output : null;
  } catch {
    return null;
  }
}

/** @throws Error when the file cannot be read */
export async function checkAuditFile(file: string): Promise<AuditFileCheck> {
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY });
  let check: AuditCheck | null = null;
  let rows = 0;
  const broken = (why: string): AuditFileCheck => ({
    rows,
    head: check?.head ?? { sequence: 0, hash: "" },
    broken: why,
  });
  for await (const line of lines) {
    if (check === null) {
      const first = parse(auditExportHeadSchema, line);
      if (first === null) return broken("the first line is not that of an export of flockcast");
      check = new AuditCheck(first.beginning);
      continue;
    }
    const row = parse(auditRowSchema, line);
    if (row !== null) {
      const why = check.next(row);
      if (why !== null) return broken(why);
      rows++;
      continue;
    }
    const end = parse(auditExportEndSchema, line);
    if (end === null) return broken(`the line after row ${check.head.sequence} is not a row`);
    if (end.head.sequence === check.head.sequence && end.head.hash === check.head.hash)
      return { rows, head: check.head, broken: null };
    return broken(`the last line names row ${end.head.sequence} as the head: rows are missing`);
  }
  return broken("the last line with the head is missing: the file was cut off");
}
