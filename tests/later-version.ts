/**
 * Turns this version of an agent or source into a later one, for `upgrades.test.ts`. Bun loads this
 * file before the program (`bun --preload=…`). A plugin then changes lines of the program's
 * modules when Bun loads them. The variable FLOCKCAST_LATER chooses the changes:
 *
 *   additions   changes that need no new frame version: further elements in every body and message,
 *               a new type of frame, further keys in every body of the API
 *   frames      frames of version 2
 *   source      further keys in the source's answers to agents, also in settings
 */
import { installPatches, type SourcePatch } from "../scripts/rig/source-patches.ts";

const laterFields = `null, -1, "later", [1, [2]], { later: true }`;

const patches: Readonly<Record<string, readonly SourcePatch[]>> = {
  additions: [
    {
      file: "shared/wire/encode.ts",
      from: "controlFields[frame.type].map(([name, kind]) => fieldValue(frame.type, name, kind, values[name])),",
      to: `[...controlFields[frame.type].map(([name, kind]) => fieldValue(frame.type, name, kind, values[name])), ${laterFields}],`,
    },
    {
      file: "shared/device/lan-sessions.ts",
      from: "this.#group.send(this.writer(session).control(frame));",
      to: `{
        this.#group.send(this.writer(session).control(frame));
        const unknown = this.writer(session).control(frame);
        unknown[2] = 99;
        this.#group.send(unknown);
      }`,
    },
    {
      file: "shared/net/exchange/messages.ts",
      from: "encode([...head, lanPort, heldRanges, Number(listens)])",
      to: `encode([...head, lanPort, heldRanges, Number(listens), ${laterFields}])`,
    },
    {
      file: "shared/net/exchange/messages.ts",
      from: "encode([...head, request.chunk])",
      to: `encode([...head, request.chunk, ${laterFields}])`,
    },
    {
      file: "shared/net/exchange/messages.ts",
      from: "answer.peers.map((p) => [p.device, p.address, p.lanPort]),",
      to: `answer.peers.map((p) => [p.device, p.address, p.lanPort, ${laterFields}]),`,
    },
    {
      file: "shared/net/exchange/messages.ts",
      from: "answer.leads,",
      to: `answer.leads, ${laterFields},`,
    },
    {
      file: "shared/api/request.ts",
      from: "JSON.stringify(options.json)",
      to: "JSON.stringify({ ...(options.json as object), later: { a: [1] } })",
    },
  ],
  frames: [{ file: "shared/wire/layout.ts", from: "frameVersion = 1;", to: "frameVersion = 2;" }],
  source: [
    {
      file: "shared/source/trust/orders.ts",
      from: "({ deployment, name, version, parent, differences });",
      to: `({ deployment, name, version, parent, differences: { ...differences, laterSwitch: "on" } as never });`,
    },
    {
      file: "shared/source/trust/orders.ts",
      from: "{ format: 1, ...content, sequence, issuedAtMs }",
      to: "{ format: 1, ...content, sequence, issuedAtMs, later: { a: [1] } }",
    },
    {
      file: "shared/source/routes/agent-tasks.ts",
      from: 'paused: task.state === "paused",',
      to: 'paused: task.state === "paused", later: { a: [1] },',
    },
  ],
};

installPatches(patches[process.env["FLOCKCAST_LATER"] ?? ""] ?? [], "tests/later-version.ts");
