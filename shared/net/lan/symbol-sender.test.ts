/** Tests of symbols through an interface that takes no runs: the datagrams arrive all the same. */
import { expect, test } from "bun:test";
import { LinkSize } from "./link-size.ts";
import { Refusals } from "./refusals.ts";
import type { SegmentSender } from "./segment-sender.ts";
import { SymbolSender } from "./symbol-sender.ts";

/** Answers as Linux before 6.11 does for a network card without checksums. */
function unableSender(): SegmentSender & { calls: number; isClosed: boolean } {
  return {
    calls: 0,
    isClosed: false,
    send() {
      this.calls++;
      return "unable";
    },
    close() {
      this.isClosed = true;
    },
  };
}

test("a run that the network card cannot cut is sent as single datagrams, as are all later ones", async () => {
  const received: string[] = [];
  const receiver = await Bun.udpSocket({
    hostname: "127.0.0.1",
    socket: { data: (_socket, data) => void received.push(data.toString()) },
  });
  const socket = await Bun.udpSocket({ hostname: "127.0.0.1", binaryType: "uint8array", socket: {} });
  const errors: Error[] = [];
  const runs = unableSender();
  const counters = { framesSent: 0, bytesSent: 0 };
  const sender = new SymbolSender({
    // A unicast address serves as well: the sender only hands it to the socket.
    group: { address: "127.0.0.1", port: receiver.port },
    size: new LinkSize(1_500),
    socket,
    runs,
    refusals: new Refusals((error) => errors.push(error)),
    counters,
  });
  try {
    const bytes = Buffer.from("aabbc");
    const datagrams = [bytes.subarray(0, 2), bytes.subarray(2, 4), bytes.subarray(4)];
    expect(sender.sendRun(bytes, datagrams)).toBe(3);
    expect(sender.sendRun(bytes, datagrams)).toBe(3);
    for (let waited = 0; received.length < 6 && waited < 10_000; waited += 10) await Bun.sleep(10);
    expect(received.toSorted()).toEqual(["aa", "aa", "bb", "bb", "c", "c"]);
    expect(counters).toEqual({ framesSent: 6, bytesSent: 10 });
    expect(runs).toMatchObject({ calls: 1, isClosed: true });
    expect(errors).toEqual([]);
  } finally {
    sender.close();
    receiver.close();
  }
});
