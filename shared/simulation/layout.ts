/** Constants of simulated devices that several parts of a world share. */

/** The agent's data folder on every simulated disk. */
export const dataFolder = "/data";
/** Deployment number in every frame. */
export const deployment = 7;
/** Id of the only task of a world. */
export const taskId = 1;
