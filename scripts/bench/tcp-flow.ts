/**
 * TCP flow between two hosts, as another user of the link, until SIGTERM:
 *
 *   bun scripts/bench/tcp-flow.ts give PORT           sends bytes without end on every connection
 *   bun scripts/bench/tcp-flow.ts take ADDRESS PORT   receives, and prints "time bytes" every 250 ms
 *
 * The time is in milliseconds since 1970, the bytes are those since the start.
 */
const reportEveryMs = 250;
const triesMax = 20;
const retryMs = 100;
const [, , side, ...words] = process.argv;

if (side === "give") {
  const bytes = new Uint8Array(65_536);
  const fill = (socket: Bun.Socket): void => {
    while (socket.write(bytes) === bytes.length);
  };
  Bun.listen({ hostname: "0.0.0.0", port: Number(words[0]), socket: { open: fill, drain: fill, data() {} } });
} else if (side === "take") {
  let received = 0;
  const connect = (): Promise<unknown> =>
    Bun.connect({
      hostname: words[0]!,
      port: Number(words[1]),
      socket: { data: (_, { length }) => void (received += length) },
    });
  // The sender may not listen yet.
  for (let tries = 1; ; tries++) {
    try {
      await connect();
      break;
    } catch (error) {
      if (tries >= triesMax) throw error;
      await Bun.sleep(retryMs);
    }
  }
  setInterval(() => console.log(`${Date.now()} ${received}`), reportEveryMs);
} else throw new Error(`"${side}" is not a side of the flow: write give PORT | take ADDRESS PORT`);
