/** Frames received from the group since this device joined it; a hint at why multicast fails. */
export type GroupReception = {
  /** "ADDRESS:PORT"; null: the group could not be joined. */
  readonly group: string | null;
  /** Payload of the longest symbol that the interface carries. */
  readonly symbolMaxBytes: number;
  /** Frames of this device that its system looped back: they show that inbound UDP works. */
  readonly own: "received" | "not received" | "none sent";
  /** Frames of other devices; "received" means in the last seconds. */
  readonly others: "received" | "received before" | "never received";
};
