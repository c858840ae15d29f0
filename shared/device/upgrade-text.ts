/** Problems of a new agent that is not kept, as the supervisor notes them on the disk. Pure. */

export const exitedText = (status: number, line: string): string =>
  `exited with status ${status} before it checked in${line === "" ? "" : `: "${line}"`}`;

export const silentText = (duration: string): string => `did not check in within ${duration}`;

export const startsText = (starts: number): string =>
  `was started ${starts} times and ended each time with its supervisor before it checked in`;

export const notTriedText = (problem: string): string => `was not tried: ${problem}`;

export const notPlacedText = (problem: string): string =>
  `checked in, but could not be put in place: ${problem}`;
