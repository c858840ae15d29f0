/**
 * A TCP flow between two hosts, as another user of the link:
 *
 *   bun scripts/bench/tcp-flow.ts give PORT              answers every connection with bytes without end, until SIGTERM
 *   bun scripts/bench/tcp-flow.ts take ADDRESS PORT      takes them until SIGTERM; each 250 ms a line "time bytes"
 *
 * Time in milliseconds since 1970, bytes since the beginning.
 */
const reportEveryMs = 250;
const triesMax = 20;
const retryMs = 100;
const [, , what, ...words] = process.argv;

if (what === "give") {
  const bytes = new Uint8Array(65_536);
  const fill = (socket: Bun.Socket): void => {
    while (socket.write(bytes) === bytes.length);
  };
  Bun.listen({ hostname: "0.0.0.0", port: Number(words[0]), socket: { open: fill, drain: fill, data() {} } });
} else if (what === "take") {
  let taken = 0;
  const connect = (): Promise<unknown> =>
    Bun.connect({
      hostname: words[0]!,
      port: Number(words[1]),
      socket: { data: (_, { length }) => void (taken += length) },
    });
  // The giver may just be starting.
  for (let tries = 1; ; tries++) {
    try {
      await connect();
      break;
    } catch (error) {
      if (tries >= triesMax) throw error;
      await Bun.sleep(retryMs);
    }
  }
  setInterval(() => console.log(`${Date.now()} ${taken}`), reportEveryMs);
} else throw new Error("give PORT | take ADDRESS PORT");
