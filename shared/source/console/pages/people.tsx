/** People: users with role, scope and password, the viewer's own password, and single sign-on. */
import { useState } from "preact/hooks";
import type { CallerView, User } from "../../../api/schema/users.ts";
import { passwordProblem } from "../../../model/password.ts";
import { userNameSchema } from "../../../model/user-name.ts";
import type { SingleSignOnState, UserList } from "./answers.ts";
import {
  Badge,
  Command,
  ConfirmedButton,
  Facts,
  Heading,
  Shown,
  Table,
  Time,
  type Column,
} from "./elements.tsx";
import { atField, checked, Field, FieldError, FormButton, textOf } from "./forms.tsx";
import { messages } from "./language.ts";
import { ask, useLoaded, type Loaded } from "./request.ts";
import { RoleFields, roleAndScopeOf } from "./role-fields.tsx";
import { caller, may } from "./session.ts";
import { count } from "./texts.ts";
import { Tokens } from "./tokens.tsx";

export function PeoplePage() {
  const words = messages.value.people;
  return (
    <>
      <Heading text={words.title} />
      <OwnPassword />
      {may("GET /v1/users") && <Users />}
      {may("GET /v1/tokens") && <Tokens />}
      {may("GET /v1/single-sign-on") && <SingleSignOn />}
    </>
  );
}

/** Returns a new password that the rules allow. @throws FieldError that does not quote it */
function passwordOf(data: FormData, userName: string): string {
  const value = data.get("password");
  const password = typeof value === "string" ? value : "";
  const problem = passwordProblem(password, userName);
  if (problem !== null) throw new FieldError("password", problem);
  return password;
}

function OwnPassword() {
  const words = messages.value.people;
  const person = caller.value;
  const session = useLoaded<CallerView>("/v1/session");
  const [isChanged, setChanged] = useState(false);
  if (person === null || person === "unknown") return null;
  const send = async (data: FormData): Promise<void> => {
    const current = data.get("current");
    const body = { current, password: passwordOf(data, person.name) };
    setChanged(false);
    await atField("current", ask("PUT", "/v1/session/password", body), [403]);
    setChanged(true);
  };
  return (
    <section>
      <h2>{words.own}</h2>
      <Shown loaded={session}>
        {({ session: own }) =>
          own?.signIn === "provider" ? (
            <p>{words.provider}</p>
          ) : (
            <div class="buttons">
              <FormButton name={words.changeOwn} about={words.ownHint} send={send}>
                <Field name="current" label={words.current} secret="current-password" />
                <Field
                  name="password"
                  label={words.newPassword}
                  hint={words.passwordHint}
                  secret="new-password"
                />
              </FormButton>
            </div>
          )
        }
      </Shown>
      <p role="status">{isChanged && messages.value.done(words.changeOwn)}</p>
    </section>
  );
}

function Users() {
  const words = messages.value.people;
  const users = useLoaded<UserList>("/v1/users?limit=1000");
  const add = async (data: FormData): Promise<void> => {
    const name = checked("name", userNameSchema, textOf(data, "name"));
    const body = { name, ...roleAndScopeOf(data), password: passwordOf(data, name) };
    await ask<User>("POST", "/v1/users", body);
    await users.reload();
  };
  return (
    <section>
      <h2>{words.users}</h2>
      {may("POST /v1/users") && (
        <div class="buttons">
          <FormButton name={words.add} send={add}>
            <Field name="name" label={words.user} />
            <RoleFields role="viewer" scope={[]} />
            <Field name="password" label={words.password} hint={words.passwordHint} secret="new-password" />
          </FormButton>
        </div>
      )}
      <Shown loaded={users}>
        {({ users: rows }) => (
          <Table label={words.users} rows={rows} keyOf={({ name }) => name} columns={userColumns(users)} />
        )}
      </Shown>
    </section>
  );
}

function userColumns({ reload }: Loaded<UserList>): Column<User>[] {
  const words = messages.value.people;
  return [
    { name: words.user, cell: ({ name }) => name },
    { name: words.role, cell: ({ role }) => messages.value.roles[role] },
    { name: words.scope, cell: ({ scope }) => scope.join(", ") || messages.value.about.everything },
    {
      name: words.state,
      cell: ({ disabled }) => (
        <Badge kind={disabled ? "bad" : "good"} text={disabled ? words.disabled : words.enabled} />
      ),
    },
    { name: words.signIn, cell: ({ signIn }) => words.signInNames[signIn] },
    {
      name: words.lastLogin,
      cell: ({ lastLoginAtMs }) => (lastLoginAtMs === null ? words.never : <Time atMs={lastLoginAtMs} />),
    },
    { name: words.sessions, isNumber: true, cell: ({ sessions }) => count(sessions) },
    { name: words.actions, cell: (user) => <UserActions user={user} reload={reload} /> },
  ];
}

function UserActions({ user, reload }: { user: User; reload: () => Promise<void> }) {
  const words = messages.value.people;
  const { name, disabled } = user;
  const path = `/v1/users/${encodeURIComponent(name)}`;
  const change = async (method: "PATCH" | "PUT" | "DELETE", place: string, body?: object): Promise<void> => {
    await ask(method, place, body);
    await reload();
  };
  return (
    <div class="buttons">
      {may("PATCH /v1/users/:name") && (
        <>
          <FormButton name={words.edit} send={(data) => change("PATCH", path, roleAndScopeOf(data))}>
            <RoleFields role={user.role} scope={user.scope} />
          </FormButton>
          <ConfirmedButton
            name={disabled ? words.enable : words.disable}
            question={disabled ? words.askEnable(name) : words.askDisable(name)}
            send={() => change("PATCH", path, { disabled: !disabled })}
            isDangerous={!disabled}
          />
        </>
      )}
      {user.signIn === "password" && may("PUT /v1/users/:name/password") && (
        <FormButton
          name={words.newPassword}
          about={words.newPasswordHint(name)}
          send={async (data) => {
            const password = passwordOf(data, name);
            await atField("password", change("PUT", `${path}/password`, { password }));
          }}
        >
          <Field name="password" label={words.newPassword} hint={words.passwordHint} secret="new-password" />
        </FormButton>
      )}
      {may("DELETE /v1/users/:name") && (
        <ConfirmedButton
          name={words.remove}
          question={words.askRemove(name)}
          send={() => change("DELETE", path)}
          isDangerous
        />
      )}
    </div>
  );
}

const singleSignOnLine = "flockcast-source oidc set --help";

function SingleSignOn() {
  const words = messages.value.people;
  const state = useLoaded<SingleSignOnState>("/v1/single-sign-on");
  return (
    <section>
      <h2>{words.single}</h2>
      <Shown loaded={state}>
        {({ provider }) =>
          provider === null ? (
            <>
              <p>{words.noSingle}</p>
              <Command line={singleSignOnLine} />
            </>
          ) : (
            <Facts
              facts={[
                [words.issuer, provider.issuer],
                [words.client, provider.clientId],
                [words.redirect, <code>{provider.redirectUrl}</code>],
                [
                  words.groups,
                  provider.roles
                    .map(({ group, role, scope }) => {
                      const tags = scope.length === 0 ? "" : ` (${scope.join(", ")})`;
                      return words.groupRole(group, messages.value.roles[role], tags);
                    })
                    .join("; "),
                ],
              ]}
            />
          )
        }
      </Shown>
    </section>
  );
}
