/**
 * Limits of the LAN frames and of the erasure code, each with its unit and its reason.
 *
 * The limits are part of the protocol: docs/PROTOCOL.md lists the same numbers, and a test compares
 * the two. A frame that breaks a limit is a bug of its sender, and receivers drop it.
 */
export const limits = {
  /**
   * UDP payload of one jumbo frame of Ethernet: an MTU of 9,000 bytes less 20 (IPv4) and 8 (UDP).
   * Frames are never fragmented.
   */
  datagramMaxBytes: 8_972,
  /**
   * Datagram at an MTU of 576 bytes, which every host accepts. Bounds a control frame whose
   * receivers have not agreed on a size.
   */
  smallDatagramMaxBytes: 548,
  /** Opened body of a control frame: 1,472 bytes less 36 bytes of header and 16 of tag. */
  bodyMaxBytes: 1_420,
  /** Payload of one symbol: a multiple of 8 that fits a datagram with 66 bytes of framing. */
  symbolMaxBytes: 8_904,
  /** Symbol at an MTU of 1,500 bytes, and wherever the MTU is not known. */
  symbolUsualBytes: 1_400,
  /** Symbol at an MTU of 576 bytes: no receiver can request shorter ones. */
  symbolSmallBytes: 480,
  /** Shortest symbol that a representative announces; bounds the index of a half-received chunk. */
  symbolMinBytes: 16,
  /**
   * Source symbols of one block. More of them mean fewer repairs for the receiver with the most
   * losses, but each repair costs more to encode and decode. Half of the coded symbols, so that
   * repairs can replace a whole block.
   */
  blockSymbolsMax: 128,
  /**
   * Source and repair symbols of one block: the elements of GF(2^8), so a symbol number is one
   * byte.
   */
  codedSymbolsMax: 256,
  /** Blocks of one chunk. A block number has two bytes, and the highest value is `wholeChunks`. */
  chunkBlocksMax: 65_535,
  /** Ranges in one frame: 128 of at most 10 bytes leave 140 bytes for other fields of a body. */
  rangesMax: 128,
  /** Entries of one `need`: 100 of at most 13 bytes leave 120 bytes for the other fields. */
  needsMax: 100,
  /** Reason in bytes of UTF-8: a sentence for a log or a status line. */
  reasonMaxBytes: 200,
  /** Elements after the known ones of a body, which later versions added. */
  extraFieldsMax: 16,
  /** TCP or UDP port. */
  portMax: 65_535,
  /** Load in percent. */
  loadMax: 100,
  /** Rate of 1 Tbit/s: above any LAN, and far below the 53 bits of a JavaScript integer. */
  rateMaxBps: 1_000_000_000_000,
  /** Time to the first symbol: the longest `sessionStartDelay`. Timers of 25 days fire at once. */
  startsInMaxMs: 86_400_000,
  /** Queuing delay. A longer one means that a clock jumped. */
  queuedMaxMs: 60_000,
  /** Chunks, terms, tickets, counts and sequences have 32 bits. */
  counterMax: 0xffff_ffff,
  /** Sequences in the replay window: reordering of 46 ms at 1 Gbit/s, in 512 bytes a sender. */
  replayWindow: 4_096,
  /**
   * Senders that a receiver remembers per session: more than a subnet has devices, in 2.5 MiB of
   * windows and keys.
   */
  sendersMax: 4_096,
} as const;
