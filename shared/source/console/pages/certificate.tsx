/** Notices about the connection: others can read it, or no browser knows the certificate. */
import type { SetUpState } from "./answers.ts";
import { Command } from "./elements.tsx";
import { messages } from "./language.ts";

const filesLine =
  "flockcast-source serve --data DIR --listen 0.0.0.0:7443 --tls-cert source.crt --tls-key source.key";
const proxyLine =
  "flockcast-source serve --data DIR --listen 127.0.0.1:7080 --no-tls --trusted-proxy 127.0.0.1";

export function CertificateNotice({ certificate, isSafe, consoleUrl }: SetUpState) {
  const words = messages.value.certificate;
  if (!isSafe)
    return (
      <div class="notice problem" role="alert">
        <p>
          <strong>{words.readable}</strong>
        </p>
        <p>{words.readableHint}</p>
        <Steps />
      </div>
    );
  if (certificate !== "own") return null;
  return (
    <details>
      <summary>{words.unknown}</summary>
      {consoleUrl !== null && (
        <p>
          {words.onThisMachine} <a href={consoleUrl}>{consoleUrl}</a>
        </p>
      )}
      <p>{words.unknownHint}</p>
      <Steps />
    </details>
  );
}

function Steps() {
  const words = messages.value.certificate;
  return (
    <ol>
      <li>{words.obtain}</li>
      <li>
        {words.install}
        <Command line={filesLine} />
      </li>
      <li>
        {words.proxy}
        <Command line={proxyLine} />
      </li>
      <li>{words.devices}</li>
    </ol>
  );
}
