/** Package that the path of a request names by its id. */
import * as v from "valibot";
import { packageIdSchema } from "../../api/schema/common.ts";
import { ApiError } from "../api-error.ts";
import type { PackageRecord } from "../catalog/index.ts";
import type { SourceContext } from "../context.ts";

export const packagePathSchema = v.object({ id: packageIdSchema });

/** @throws ApiError 404 */
export async function packageById({ catalog }: SourceContext, id: string): Promise<PackageRecord> {
  const found = await catalog.packages.byId(id);
  if (found === null) throw new ApiError(404, `No package ${id}`, "package list shows all");
  return found;
}
