/** Reasons of upgrade tasks, for people. Pure. */

const again = (running: string): string => `version ${running} runs again`;

export const notExecutableReason =
  "the agent is run by bun, and not as an executable of its own: only such an executable can be upgraded, install one";

export const noFittingFileReason = (fileName: string): string =>
  `the package has no file ${fileName}, which this device needs: publish a version that has it, or target other devices`;

export const alreadyThereReason = (running: string): string =>
  `already there: the agent is version ${running}`;

export const lowerVersionReason = (found: string, running: string): string =>
  `the agent is version ${running}, which is higher than ${found}: --allow-downgrade installs the lower one`;

export const upgradedReason = (version: string, before: string): string =>
  `version ${version} runs (before: ${before})`;

/** @param why what the new agent did, such as "did not check in within 5m" */
export const rolledBackReason = (version: string, why: string, running: string): string =>
  `version ${version} ${why}: ${again(running)}`;

export const unknownUpgradeReason = (running: string): string =>
  `the outcome is unknown: the agent was ended before the new version was tried; version ${running} runs`;

/** Reasons of a new executable that is not tried. */
export const notCopiedReason = (fileName: string, folder: string, problem: string): string =>
  `${fileName} cannot be copied to ${folder}, the folder of the running executable: ${problem}`;

export const notStartedReason = (fileName: string, problem: string): string =>
  `${fileName} --version does not start: ${problem}`;

export const noVersionReason = (fileName: string, status: string, output: string): string =>
  `${fileName} --version has printed no version (${status}): ${output === "" ? "it has written nothing" : `"${output}"`}`;

/** Behaviour of a new agent that is not kept. */
export const exitedText = (status: number, line: string): string =>
  `exited with status ${status} before it checked in${line === "" ? "" : `: "${line}"`}`;

export const silentText = (duration: string): string => `did not check in within ${duration}`;

export const startsText = (starts: number): string =>
  `was started ${starts} times and ended each time with its supervisor before it checked in`;

export const notTriedText = (problem: string): string => `was not tried: ${problem}`;

export const notPlacedText = (problem: string): string =>
  `checked in, but could not be put in place: ${problem}`;
