/**
 * Every limit of the LAN frames and of the erasure code, in one place: name, unit (at the end of the name), reason.
 *
 * They are part of the protocol: docs/PROTOCOL.md lists the same numbers and a test compares the two. A frame that
 * breaks one is dropped by the receiver and is a bug of the sender.
 */
export const limits = {
  /** UDP payload of one Ethernet frame: 1,500 bytes of MTU less 20 (IPv4) and 8 (UDP). Frames are never fragmented. */
  datagramMaxBytes: 1_472,
  /** What a datagram leaves for an opened body: less 36 bytes of header and 16 of tag. */
  bodyMaxBytes: 1_420,
  /** Bytes of package in one symbol: with its 66 bytes of framing a datagram has 6 bytes to spare. */
  symbolMaxBytes: 1_400,
  /**
   * Source symbols of one block: the larger, the fewer repairs are made for the unluckiest receiver's sake, and the more
   * each costs to make and to use. Half of the coded symbols, so that repairs can stand in for a whole block.
   */
  blockSymbolsMax: 128,
  /** Source and repair symbols of one block: the elements of GF(2^8); a symbol number is one byte. */
  codedSymbolsMax: 256,
  /** Blocks of one chunk: a block number is two bytes, of which the last is `wholeChunks`. */
  chunkBlocksMax: 65_535,
  /** Ranges in one frame: 128 of 10 bytes at most leave 140 bytes for the other fields. */
  rangesMax: 128,
  /** Entries of one `need`: 100 of 13 bytes at most leave 120 bytes for the other fields. */
  needsMax: 100,
  /** A reason is read by a person, in a log or a status line. Bytes of UTF-8. */
  reasonMaxBytes: 200,
  /** Elements behind the known ones of a body: what later versions add. */
  extraFieldsMax: 16,
  /** One TCP or UDP port. */
  portMax: 65_535,
  /** Load is a percentage. */
  loadMax: 100,
  /** 1 Tbit/s: beyond any LAN, and far below the 53 bits of a JavaScript integer. */
  rateMaxBps: 1_000_000_000_000,
  /** A queue that long is a clock that jumped. */
  queuedMaxMs: 60_000,
  /** Chunks, terms, tickets, counts and sequences are 32 bits. */
  counterMax: 0xffff_ffff,
  /** Sequences that the replay window covers: at 1 Gbit/s 46 ms of reordering, in 512 bytes a sender. */
  replayWindow: 4_096,
  /** Senders that a receiver remembers per session: 2.5 MiB of windows and keys; more than a subnet has devices. */
  sendersMax: 4_096,
} as const;
