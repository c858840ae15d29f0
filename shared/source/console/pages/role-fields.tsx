/** Role and scope in forms, for users and for tokens. */
import { roles, scopeProblem, type Role } from "../../../model/role.ts";
import { Field, FieldError, namesOf, Select, textOf } from "./forms.tsx";
import { messages } from "./language.ts";

/** @throws FieldError when the role cannot have the scope */
export function roleAndScopeOf(data: FormData): { role: Role; scope: string[] } {
  const role = roles.find((one) => one === textOf(data, "role")) ?? "viewer";
  const scope = namesOf(data, "scope");
  const problem = scopeProblem(role, scope);
  if (problem !== null) throw new FieldError("scope", problem);
  return { role, scope };
}

/** Role and scope, for users and for tokens. */
export function RoleFields({ role, scope }: { role: Role; scope: readonly string[] }) {
  const words = messages.value;
  return (
    <>
      <Select
        name="role"
        label={words.people.role}
        options={roles.map((one) => [one, words.roles[one]])}
        value={role}
      />
      <Field name="scope" label={words.people.scope} hint={words.people.scopeHint} value={scope.join(", ")} />
    </>
  );
}
