/** What this device receives from its group, as those need it who explain why multicast does not work. */
/** What came from the group since this device joined it. */
export type Hearing = {
  /** "ADDRESS:PORT"; null: the group could not be joined. */
  readonly group: string | null;
  /** Its own frames, which its system hands back to it. */
  readonly own: "heard" | "unheard" | "none sent";
  readonly others: "heard" | "heard before" | "never heard";
};
