/** Facts about a simulated device that several parts of a world share. */

/** The agent's data folder on every simulated disk. */
export const dataFolder = "/data";
/** The deployment number in every frame. */
export const deployment = 7;
/** The id of the world's one task. */
export const taskId = 1;
