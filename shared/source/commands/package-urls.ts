/** Commands `package url list`, `package url add` and `package url remove`. */
import type { PackageUrlList } from "../../api/schema/admin.ts";
import { connect, type JsonOptions, type ListOptions } from "./connect.ts";
import { printedAs, printJson, printTable } from "./print.ts";

export async function listUrls(words: string, options: ListOptions): Promise<void> {
  show(await (await connect(options)).packageUrls(words), options);
}

export async function addUrl(words: string, url: string, options: JsonOptions): Promise<void> {
  show(await (await connect(options)).addPackageUrl(words, url), options);
}

export async function removeUrl(words: string, url: string, options: JsonOptions): Promise<void> {
  show(await (await connect(options)).removePackageUrl(words, url), options);
}

/** Shows the places of a package in the order in which devices try them. */
function show({ urls, atSource }: PackageUrlList, options: ListOptions): void {
  if (options.json) return printJson({ urls, atSource });
  if (printedAs(options, urls)) return;
  const rows = urls.map(({ url, layout }) => [layout, url]);
  printTable(["LAYOUT", "URL"], atSource ? [...rows, ["file", "the source"]] : rows);
}
