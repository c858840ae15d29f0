/** How people read and type an approval code (approval-code.ts). Pure, also in browsers. */

/** Crockford's digits: I, L, O and U are missing, as a person may misread them. */
export const approvalCodeDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
export const approvalCodeLength = 8;
const pattern = new RegExp(`^[${approvalCodeDigits}]{${approvalCodeLength}}$`);

/** Returns the code as people read it. */
export const approvalCodeText = (code: string): string => `${code.slice(0, 4)}-${code.slice(4)}`;

/** Returns the code that a person typed, in any case and with similar letters; null: it is none. */
export function readApprovalCode(text: string): string | null {
  const code = text.toUpperCase().replaceAll(/[\s-]/g, "").replaceAll("O", "0").replaceAll(/[IL]/g, "1");
  return pattern.test(code) ? code : null;
}
