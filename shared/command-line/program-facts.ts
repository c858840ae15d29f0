/**
 * Exit statuses and environment variables of the programs, for their help, their manual pages and
 * docs/OPERATIONS.md.
 */

type Rows = readonly (readonly [name: string, text: string])[];
export type ProgramFacts = {
  readonly exitStatuses: Rows;
  readonly environment: Rows;
};

const failures: Rows = [
  ["0", "success"],
  ["1", "the command failed; one line on standard error tells why"],
  ["2", "the command line is wrong"],
];

const output: Rows = [
  ["FLOCKCAST_LOG", "level of the log: silent, error, warn, info (default) or debug"],
  ["NO_COLOR", "if not empty: no colour on a terminal"],
  ["TERM", "dumb: no colour, and no lines that replace earlier ones"],
];

export const sourceFacts: ProgramFacts = {
  exitStatuses: [
    ...failures,
    ["3", "task watch: the time of --timeout has passed"],
    ["130", "task watch: ended by Ctrl-C"],
  ],
  environment: [
    ["FLOCKCAST_SOURCE", "URL of the source, instead of --source"],
    ["FLOCKCAST_TOKEN", "text of your token, instead of --token-file"],
    ["FLOCKCAST_PUBLISHER_KEY", "file of the publisher's key, instead of --key"],
    ["FLOCKCAST_OPERATOR_KEY", "file of an operator's key, instead of --operator-key"],
    ...output,
  ],
};

export const agentFacts: ProgramFacts = {
  exitStatuses: [
    ...failures,
    ["70", "run: a bug; the log has its stack"],
    ["77", "run: the source has removed the device, and a restart changes nothing"],
  ],
  environment: [
    ["FLOCKCAST_SOURCE", "URL of the source, instead of --source"],
    ["FLOCKCAST_ENROLL_FILE", "file with the enrolment token, instead of --enroll-file"],
    ...output,
  ],
};
