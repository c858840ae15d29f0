/** Frame of the console: navigation, language and colours, and the page of the address. */
import type { ComponentChildren, ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { DevicesPage } from "./devices.tsx";
import { Empty, Heading, Problem } from "./elements.tsx";
import {
  chooseLanguage,
  chooseTheme,
  language,
  languages,
  messages,
  theme,
  themes,
  type Language,
  type Theme,
} from "./language.ts";
import { later } from "./later.tsx";
import { LinkPage } from "./link.tsx";
import { OverviewPage } from "./overview.tsx";
import { ask, RequestError } from "./request.ts";
import { addressOf, replaceAddress, route, type Route } from "./router.ts";
import { caller, endSession, may } from "./session.ts";
import { SignInPage } from "./sign-in.tsx";
import { TasksPage } from "./tasks.tsx";

const AboutPage = later(
  async () => (await import("./about.tsx")).AboutPage,
  () => messages.value.about.title,
);
const AuditPage = later(
  async () => (await import("./audit.tsx")).AuditPage,
  () => messages.value.audit.title,
);
const DevicePage = later(
  async () => (await import("./device.tsx")).DevicePage,
  () => messages.value.devices.title,
);
const PackagePage = later(
  async () => (await import("./packages.tsx")).PackagePage,
  () => messages.value.packages.title,
);
const PackagesPage = later(
  async () => (await import("./packages.tsx")).PackagesPage,
  () => messages.value.packages.title,
);
const SetUpPage = later(
  async () => (await import("./set-up.tsx")).SetUpPage,
  () => messages.value.product,
);
const PeoplePage = later(
  async () => (await import("./people.tsx")).PeoplePage,
  () => messages.value.people.title,
);
const SettingPage = later(
  async () => (await import("./settings.tsx")).SettingPage,
  () => messages.value.settings.title,
);
const SettingsPage = later(
  async () => (await import("./settings.tsx")).SettingsPage,
  () => messages.value.settings.title,
);
const SubnetsPage = later(
  async () => (await import("./subnets.tsx")).SubnetsPage,
  () => messages.value.subnets.title,
);
const TaskPage = later(
  async () => (await import("./task.tsx")).TaskPage,
  () => messages.value.tasks.title,
);
const TrustPage = later(
  async () => (await import("./trust.tsx")).TrustPage,
  () => messages.value.trust.title,
);

type Page = {
  readonly name: string;
  /** Row of permissions.ts without which the page has no content. */
  readonly needs: string;
  readonly list: ComponentType;
  readonly one?: ComponentType<{ id: string }>;
  /** Form at the id `new`. */
  readonly form?: FormOf<object>;
  /** Forms about one thing, by the last part of the address. */
  readonly forms?: Readonly<Record<string, FormOf<{ id: string }>>>;
};
/** A form, and the row of permissions.ts that it needs. */
type FormOf<P> = { readonly needs: string; readonly load: () => Promise<ComponentType<P>> };

/** In the order of the navigation. A page is added here, and gets its title from the messages. */
const pages = [
  { name: "overview", needs: "GET /v1/tasks", list: OverviewPage },
  {
    name: "tasks",
    needs: "GET /v1/tasks",
    list: TasksPage,
    one: TaskPage,
    form: { needs: "POST /v1/tasks", load: async () => (await import("./new-task.tsx")).NewTaskPage },
    forms: {
      edit: {
        needs: "PATCH /v1/tasks/:id",
        load: async () => (await import("./edit-task.tsx")).EditTaskPage,
      },
      copy: { needs: "POST /v1/tasks", load: async () => (await import("./new-task.tsx")).CopyTaskPage },
    },
  },
  { name: "devices", needs: "GET /v1/devices", list: DevicesPage, one: DevicePage },
  { name: "subnets", needs: "GET /v1/subnets", list: SubnetsPage },
  {
    name: "packages",
    needs: "GET /v1/packages",
    list: PackagesPage,
    one: PackagePage,
    forms: {
      task: { needs: "POST /v1/tasks", load: async () => (await import("./new-task.tsx")).PackageTaskPage },
    },
    form: { needs: "POST /v1/packages/sign", load: async () => (await import("./publish.tsx")).PublishPage },
  },
  { name: "settings", needs: "GET /v1/settings", list: SettingsPage, one: SettingPage },
  { name: "people", needs: "GET /v1/session", list: PeoplePage },
  { name: "trust", needs: "GET /v1/trust", list: TrustPage },
  { name: "audit", needs: "GET /v1/audit", list: AuditPage },
  { name: "about", needs: "GET /v1/trust", list: AboutPage },
] as const satisfies readonly Page[];

export function Shell() {
  const person = caller.value;
  const words = messages.value;
  if (person === "unknown")
    return (
      <p class="starting" aria-busy="true">
        {words.loading}
      </p>
    );
  return (
    <>
      <a class="skip" href="#content" onClick={skip}>
        {words.skip}
      </a>
      <header class="top">
        <span class="product">{words.product}</span>
        {person === null ? <Choices /> : <Navigation />}
        {person !== null && <Person name={person.name} role={words.roles[person.role]} />}
      </header>
      <Content isSignedIn={person !== null} />
    </>
  );
}

/** Pages of links come first: they are for people who are not signed in yet. */
function Content({ isSignedIn }: { isSignedIn: boolean }) {
  const { page, id } = route.value;
  if (page === "set-up") return <SetUpPage secret={id} />;
  if (isSignedIn) return <CurrentPage />;
  if (page === "sign-in" && id !== null) return <LinkPage key={id} secret={id} />;
  return <SignInPage />;
}

/** Moves the focus: the address names the page, and cannot name a part of it. */
function skip(event: Event): void {
  event.preventDefault();
  document.querySelector<HTMLElement>("h1")?.focus();
}

function Navigation() {
  const words = messages.value;
  return (
    <nav class="pages" aria-label={words.navigation}>
      <ul>
        {pages
          .filter(({ needs }) => may(needs))
          .map(({ name }) => (
            <li key={name}>
              <a href={addressOf(name)} aria-current={route.value.page === name ? "page" : undefined}>
                {words[name].title}
              </a>
            </li>
          ))}
      </ul>
    </nav>
  );
}

function Choices() {
  const words = messages.value;
  return (
    <div class="choices">
      <Choice
        label={words.language}
        value={language.value}
        options={languages.map((one) => [one, words.languageNames[one]])}
        choose={(one) => chooseLanguage(one as Language)}
      />
      <Choice
        label={words.theme}
        value={theme.value}
        options={themes.map((one) => [one, words.themeNames[one]])}
        choose={(one) => chooseTheme(one as Theme)}
      />
    </div>
  );
}

type ChoiceOptions = {
  label: string;
  value: string;
  options: readonly (readonly [value: string, name: string])[];
  choose: (value: string) => void;
};

const Choice = ({ label, value, options, choose }: ChoiceOptions) => (
  <select aria-label={label} value={value} onChange={(event) => choose(event.currentTarget.value)}>
    {options.map(([one, name]) => (
      <option key={one} value={one}>
        {name}
      </option>
    ))}
  </select>
);

async function signOut(): Promise<void> {
  // A session that has ended already is over too.
  await ask("DELETE", "/v1/session").catch(() => null);
  endSession("signed-out");
  // The next person begins at the first page.
  replaceAddress("overview");
}

/** Menu of the person: language, colours and the way out. */
function Person({ name, role }: { name: string; role: string }) {
  const words = messages.value;
  return (
    <details class="person">
      <summary>{words.signedInAs(name, role)}</summary>
      <div>
        <Choices />
        <button type="button" class="secondary" onClick={() => void signOut()}>
          {words.signOut}
        </button>
      </div>
    </details>
  );
}

/** A link to sign in is not used while somebody is signed in. */
const nameOfPage = (found: Route): Route =>
  found.page === "sign-in" ? { page: "overview", id: null, form: null } : found;

function CurrentPage() {
  const { page: name, id, form: formName } = nameOfPage(route.value);
  const words = messages.value;
  const page: Page | undefined = pages.find((one) => one.name === name);
  const about = formName === null ? undefined : page?.forms?.[formName];
  const isKnown =
    page !== undefined &&
    (id === null || page.one !== undefined) &&
    (formName === null || about !== undefined);
  if (!isKnown)
    return (
      <Main heading={words.unknownPage}>
        <Empty text={words.unknownPageHint} />
      </Main>
    );
  const form = id === "new" ? page.form : undefined;
  const needed = [page, form, about].flatMap((one) => (one === undefined ? [] : [one.needs]));
  if (!needed.every(may))
    return (
      <Main heading={words.notAllowed}>
        <Empty text={words.notAllowedHint} />
      </Main>
    );
  // Another page, or another thing, begins with its own state and gets the focus.
  const One = page.one;
  const List = page.list;
  return (
    <main id="content" key={`${name} ${id ?? ""} ${formName ?? ""}`}>
      {form !== undefined ? (
        <Form load={form.load} properties={{}} />
      ) : about !== undefined && id !== null ? (
        <Form load={about.load} properties={{ id }} />
      ) : id !== null && One !== undefined ? (
        <One id={id} />
      ) : (
        <List />
      )}
    </main>
  );
}

/** A form is loaded when it is opened: the first page stays small. */
function Form<P extends object>({
  load,
  properties,
}: {
  load: () => Promise<ComponentType<P>>;
  properties: P;
}) {
  const [found, setFound] = useState<{ Content: ComponentType<P> } | null>(null);
  const [error, setError] = useState<RequestError | null>(null);
  const open = async (): Promise<void> => {
    setError(null);
    try {
      setFound({ Content: await load() });
    } catch {
      setError(new RequestError(0, "", null));
    }
  };
  useEffect(() => void open(), []);
  if (error !== null) return <Problem error={error} onRetry={open} />;
  return found === null ? (
    <p aria-busy="true">{messages.value.loading}</p>
  ) : (
    <found.Content {...properties} />
  );
}

const Main = ({ heading, children }: { heading: string; children: ComponentChildren }) => (
  <main id="content" key={heading}>
    <Heading text={heading} />
    {children}
  </main>
);
