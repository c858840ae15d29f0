/** Width of classes: a wide class is several classes, or holds records without a name. */

const fieldsMax = 12;
const classPattern = /^(?:export )?(?:abstract )?class (\w+).*\{$/;
/** Field at the indentation of a class body; methods and accessors have parentheses. */
const fieldPattern = /^ {2}(?:readonly )?#?\w+[!?]?(?::| =)/;
/** Method in the form of a field. */
const arrowPattern = / = (?:async )?\(.*=>/;

/** @param files path from the project's root → text. Returns one sentence for each wide class. */
export function widthProblems(files: ReadonlyMap<string, string>): string[] {
  const problems: string[] = [];
  for (const [path, text] of files) {
    if (!path.endsWith(".ts")) continue;
    let name: string | null = null;
    let fields = 0;
    for (const line of text.split("\n")) {
      const opened = classPattern.exec(line);
      if (opened) [name, fields] = [opened[1]!, 0];
      else if (name !== null && line === "}") {
        if (fields > fieldsMax)
          problems.push(
            `${path}: class ${name} has ${fields} fields, more than ${fieldsMax}: group or split them`,
          );
        name = null;
      } else if (name !== null && fieldPattern.test(line) && !arrowPattern.test(line)) fields++;
    }
  }
  return problems;
}
