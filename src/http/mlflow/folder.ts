/*
 * Files by their paths as a folder shows them.
 */
import type { LocatedFile } from "../../registry/located.ts";

/** What stands in a folder of these files (of all of them where it is empty), by path. */
export function folderViews(files: readonly LocatedFile[], folder: string) {
  const root = folder === "" ? "" : `${folder}/`;
  const views = new Map<string, { path: string; is_dir: boolean; file_size?: number }>();
  for (const { path, size } of files) {
    if (!path.startsWith(root)) continue;
    const [name = "", ...rest] = path.slice(root.length).split("/");
    const at = `${root}${name}`;
    if (rest.length > 0) views.set(at, { path: at, is_dir: true });
    else views.set(at, { path: at, is_dir: false, file_size: size });
  }
  return [...views.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}
