/** Answers of the network to what a sender sends: real ICMP errors of a closed port. */
import { expect, test } from "bun:test";
import { openGroupSender } from "./group-sender.ts";

async function until(holds: () => boolean): Promise<void> {
  for (let waited = 0; !holds() && waited < 10_000; waited += 20) await Bun.sleep(20);
}

test("a sender reports the first ICMP error, and keeps sending", async () => {
  const errors: string[] = [];
  const received: string[] = [];
  const receiver = await Bun.udpSocket({
    hostname: "127.0.0.1",
    socket: { data: (_, data) => void received.push(data.toString()) },
  });
  const closed = await Bun.udpSocket({ hostname: "127.0.0.1", socket: {} });
  const closedPort = closed.port;
  closed.close();
  const sender = await openGroupSender("127.0.0.1", true, ({ message }) => errors.push(message));
  try {
    for (let round = 0; round < 3; round++) {
      sender.send(Buffer.from("lost"), closedPort, "127.0.0.1");
      await Bun.sleep(50);
    }
    // Linux and Windows pass the error on; another system may not.
    if (process.platform === "linux") {
      await until(() => errors.length > 0);
      expect(errors).toHaveLength(1);
      expect(errors[0]).toStartWith("The network refuses datagrams: ECONNREFUSED");
    }
    sender.send(Buffer.from("arrives"), receiver.port, "127.0.0.1");
    await until(() => received.length > 0);
    expect(received).toEqual(["arrives"]);
    expect(sender.closed).toBe(false);
  } finally {
    sender.close();
    receiver.close();
  }
});
