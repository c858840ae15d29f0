/** Constants of simulated devices that several parts of a world share. */

/** The agent's data folder on every simulated disk. */
export const dataFolder = "/data";
/** Deployment number in every frame. */
export const deployment = 7;
/** Id of the only task of a world. */
export const taskId = 1;
/** Wall time at which worlds begin: a plausible date, in January 2027, at 08:00. */
export const wallOriginMs = 1_800_000_000_000;
