/**
 * Refusal to sign what a source states. A code with parameters, so that the command line and the
 * console can say it in their own words.
 */
const sentences = {
  "other-subject": ([about]: Words) => `The source answers about ${about}: nothing was signed`,
  unreadable: ([why]: Words) => `The source states an order that cannot be read: ${why}`,
  "no-order-before": ([subject]: Words) =>
    `No order of ${subject} is there whose other fields could be compared: trust sign --all shows what the source wants signed`,
  differs: ([fields]: Words) => `The source states another ${fields} than was asked for: nothing was signed`,
  attempts: ([stated, allowed]: Words) =>
    `The source states ${stated} attempts instead of ${allowed}: nothing was signed`,
  start: () => "The source states another start than now: check this machine's clock",
  expiry: () => "The source states a later expiry than 90 days after the start",
  package: ([id, found, stated]: Words) => `Package ${id} is ${found}, not ${stated}: nothing was signed`,
  "other-package": ([stated, asked]: Words) =>
    `The source states package ${stated} instead of ${asked}: nothing was signed`,
} as const;

type Words = readonly string[];
export type ReviewCode = keyof typeof sentences;

/** Local error: the signer refuses. The message is English; `code` and `words` are for others. */
export class ReviewError extends Error {
  override readonly name = "ReviewError";
  readonly code: ReviewCode;
  readonly words: readonly string[];

  constructor(code: ReviewCode, words: readonly string[], cause?: unknown) {
    super(sentences[code](words), { cause });
    this.code = code;
    this.words = words;
  }
}
