/**
 * Rules for passwords of people: long, of several characters, and not made from the user's name.
 * Length counts more than kinds of characters, so none of these is demanded. Pure.
 */

export const passwordCharactersMin = 12;
/** Upper bound on a password in UTF-8: hashing a longer one would cost time for nothing. */
export const passwordBytesMax = 256;
const distinctMin = 5;

/** Returns the form that is hashed: keyboards compose one letter in different ways. */
export const normalizedPassword = (password: string): string => password.normalize("NFC");

/** Returns why a password cannot be used for this user, without quoting it; null if it can. */
export function passwordProblem(password: string, userName: string): string | null {
  const text = normalizedPassword(password);
  const characters = [...text];
  if (characters.length < passwordCharactersMin)
    return `the password has ${characters.length} characters: give at least ${passwordCharactersMin}`;
  if (new TextEncoder().encode(text).length > passwordBytesMax)
    return `the password has more than ${passwordBytesMax} bytes: give a shorter one`;
  if (/\p{Cc}/u.test(text)) return "the password has a control character: give one without";
  if (new Set(characters).size < distinctMin)
    return `the password has fewer than ${distinctMin} different characters: give others`;
  const [folded, name] = [text.toLowerCase(), userName.toLowerCase()];
  if (folded.replaceAll(name, "").length < passwordCharactersMin / 2)
    return "the password is made from the user's name: give another one";
  return null;
}
