/** Orders that wait, in words, and the signature of a person who has read them. */
import { useEffect, useState } from "preact/hooks";
import type { NeededList } from "../../../../api/schema/trust.ts";
import { Facts, Problem, useSending } from "../elements.tsx";
import { DialogButton } from "../forms.tsx";
import { messages } from "../language.ts";
import { ask } from "../request.ts";
import { count } from "../texts.ts";
import { orderFacts, orderTitle } from "./order-words.ts";
import { readOrders, signRead, type ReadOrder, type SignOutcome } from "./sign-orders.ts";
import { signingMessages } from "./words.ts";

/** Button whose dialog shows what waits, and signs exactly this. */
export const ReadAndSign = ({ done }: { done: () => Promise<void> }) => (
  <DialogButton name={signingMessages.value.drafts.read}>
    {(close) => <Reading close={close} done={done} />}
  </DialogButton>
);

function Reading({ close, done }: { close: () => void; done: () => Promise<void> }) {
  const words = signingMessages.value.drafts;
  const [orders, setOrders] = useState<readonly ReadOrder[] | null>(null);
  const [outcome, setOutcome] = useState<SignOutcome | null>(null);
  const reading = useSending(async () => {
    setOrders(await readOrders((await ask<NeededList>("GET", "/v1/trust/needed")).needed));
  });
  const signing = useSending(async () => {
    setOutcome(await signRead(orders ?? []));
    await done();
  });
  useEffect(() => void reading.run(), []);
  const error = reading.error ?? signing.error;
  const isOpen = outcome === null && orders !== null && orders.length > 0;
  return (
    <>
      <p>{words.readHint}</p>
      {error && <Problem error={error} />}
      {orders?.length === 0 && <p>{words.nothing}</p>}
      {isOpen &&
        orders.map((order) => (
          <section key={`${order.needed.kind} ${order.needed.subject}`}>
            <h3>{orderTitle(order)}</h3>
            <Facts facts={orderFacts(order)} />
          </section>
        ))}
      <p role="status">{outcome !== null && words[outcome]}</p>
      <footer class="buttons">
        <button type="button" class="secondary" onClick={close}>
          {messages.value.close}
        </button>
        {isOpen && (
          <button
            type="button"
            aria-busy={signing.isSending}
            disabled={signing.isSending}
            onClick={() => void signing.run()}
          >
            {orders.length === 1 ? words.signOne : words.sign(count(orders.length))}
          </button>
        )}
      </footer>
    </>
  );
}
