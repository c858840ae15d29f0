/** List of packages, and one package with its commands and web sites. */
import type { PublishedPackage } from "../../../api/schema/admin.ts";
import type { PackageList } from "./answers.ts";
import { publishStep } from "./command-lines.ts";
import { Badge, ConfirmedButton, Empty, Facts, Heading, Shown, Table, Time } from "./elements.tsx";
import { atField, Field, FormButton, textOf } from "./forms.tsx";
import { messages } from "./language.ts";
import { ask, useLoaded } from "./request.ts";
import { addressOf, goTo } from "./router.ts";
import { may } from "./session.ts";
import { count, size } from "./texts.ts";

const everyMs = 30_000;

const PackageState = ({ state }: Pick<PublishedPackage, "state">) => (
  <Badge kind={state === "ready" ? "good" : "busy"} text={messages.value.packages.stateNames[state]} />
);

export function PackagesPage() {
  const words = messages.value.packages;
  const packages = useLoaded<PackageList>("/v1/packages?limit=1000", everyMs);
  return (
    <>
      <Heading text={words.title}>
        {may("POST /v1/packages/sign") && (
          <a role="button" href={addressOf("packages", "new")}>
            {messages.value.publish.title}
          </a>
        )}
      </Heading>
      <Shown loaded={packages}>
        {({ packages: all }) =>
          all.length === 0 ? (
            <Empty text={words.none} next={publishStep()} />
          ) : (
            <Table
              label={words.title}
              rows={all.toSorted((a, b) => b.publishedAtMs - a.publishedAtMs)}
              keyOf={({ id }) => id}
              columns={[
                { name: words.name, cell: ({ id, name }) => <a href={addressOf("packages", id)}>{name}</a> },
                { name: words.version, cell: ({ version }) => version },
                { name: words.state, cell: ({ state }) => <PackageState state={state} /> },
                {
                  name: words.size,
                  isNumber: true,
                  cell: ({ sizeBytes }) => size(sizeBytes),
                },
                {
                  name: words.files,
                  isNumber: true,
                  cell: ({ fileCount }) => count(fileCount),
                },
                { name: words.published, cell: ({ publishedAtMs }) => <Time atMs={publishedAtMs} /> },
              ]}
            />
          )
        }
      </Shown>
    </>
  );
}

export function PackagePage({ id }: { id: string }) {
  const words = messages.value.packages;
  const packages = useLoaded<PackageList>("/v1/packages?limit=1000", everyMs);
  const found = packages.data?.packages.find((one) => one.id === id);
  return (
    <>
      <Heading text={found === undefined ? words.title : `${found.name} ${found.version}`}>
        {found && <PackageState state={found.state} />}
      </Heading>
      <Shown loaded={packages}>
        {() =>
          found === undefined ? (
            <Empty text={messages.value.unknownPage} />
          ) : (
            <>
              {found.state === "ready" && may("POST /v1/tasks") && (
                <div class="buttons">
                  <a role="button" href={addressOf("packages", id, "task")}>
                    {messages.value.wizard.ofPackage}
                  </a>
                </div>
              )}
              <Facts
                facts={[
                  [words.size, size(found.sizeBytes)],
                  [words.files, count(found.fileCount)],
                  [words.chunks, size(found.chunkSizeBytes)],
                  [words.published, <Time atMs={found.publishedAtMs} />],
                  [words.id, <code>{found.id}</code>],
                ]}
              />
              <Commands commands={found.commands} />
              <WebSites found={found} reload={packages.reload} />
              <Removal found={found} />
            </>
          )
        }
      </Shown>
    </>
  );
}

/** Web sites of a package, without queries; the source knows an address by the rest too. */
function WebSites({ found, reload }: { found: PublishedPackage; reload: () => Promise<void> }) {
  const words = messages.value.packages;
  const { id, urls } = found;
  const change = async (method: "POST" | "DELETE", url: string): Promise<void> => {
    await ask(method, `/v1/packages/${id}/urls`, { url });
    await reload();
  };
  return (
    <>
      <h2>{words.urls}</h2>
      {urls.length === 0 ? (
        <p>{words.atSource}</p>
      ) : (
        <ul class="web-sites">
          {urls.map(({ url }) => (
            <li key={url}>
              <code>{url}</code>{" "}
              {may("DELETE /v1/packages/:id/urls") && (
                <ConfirmedButton
                  name={messages.value.publish.removeUrl}
                  question={messages.value.publish.askRemoveUrl(url)}
                  send={() => change("DELETE", url)}
                  isDangerous
                />
              )}
            </li>
          ))}
        </ul>
      )}
      {may("POST /v1/packages/:id/urls") && (
        <FormButton
          name={messages.value.publish.addUrl}
          send={async (data) => atField("url", change("POST", textOf(data, "url")))}
        >
          <Field name="url" label={messages.value.publish.url} hint={messages.value.publish.addUrlHint} />
        </FormButton>
      )}
    </>
  );
}

function Removal({ found: { id, name, version } }: { found: PublishedPackage }) {
  const words = messages.value.packages;
  if (!may("DELETE /v1/packages/:id")) return null;
  const remove = async (): Promise<void> => {
    await ask("DELETE", `/v1/packages/${id}`);
    goTo("packages");
  };
  return (
    <div class="buttons">
      <ConfirmedButton
        name={words.remove}
        question={words.askRemove(`${name} ${version}`)}
        send={remove}
        isDangerous
      />
    </div>
  );
}

function Commands({ commands }: Pick<PublishedPackage, "commands">) {
  const words = messages.value.packages;
  const rows = commands.flatMap(({ name, lines }) => lines.map((line) => ({ name, ...line })));
  return (
    <>
      <h2>{words.commands}</h2>
      {rows.length === 0 ? (
        <p>{words.noCommands}</p>
      ) : (
        <Table
          label={words.commands}
          rows={rows}
          keyOf={({ name, os }) => `${name} ${os}`}
          columns={[
            { name: words.command, cell: ({ name }) => name },
            { name: messages.value.devices.os, cell: ({ os }) => os },
            { name: words.line, cell: ({ line }) => <code>{line}</code> },
          ]}
        />
      )}
    </>
  );
}
