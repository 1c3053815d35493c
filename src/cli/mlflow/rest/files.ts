/*
 * Files of a running tracking server: through its proxy where they are kept behind it, else by the
 * calls with which its own pages show them. The server is asked, and nobody else.
 */
import type { Json, MlflowClient } from "../client.ts";
import { skipped } from "../faults.ts";
import { list, text } from "../message.ts";
import type { GivenFile, Holder, Source } from "../source.ts";

const PROXY = "/api/2.0/mlflow-artifacts/artifacts";
/** Deeper than any folder of a model; a listing that leads in circles ends there. */
const DEPTH = 40;
const PAGES = 10_000;

interface Entry {
  readonly name: string;
  readonly isFolder: boolean;
  readonly size: number | null;
}

/** How the files of a holder are asked for. */
interface Way {
  folder(path: string): Promise<Entry[]>;
  address(path: string): string;
}

export interface RestFiles extends Pick<Source, "files" | "read"> {
  /** Forgets which holders have folders: there may be others now. */
  forget(): void;
}

/** Listing and reading over a client. */
export function makeRestFiles(client: MlflowClient): RestFiles {
  /** A folder of which only the paths below the holder are told, page by page. */
  async function told(call: string, query: Readonly<Record<string, string>>): Promise<Entry[]> {
    const entries: Entry[] = [];
    let token = "";
    for (let page = 0; page < PAGES; page++) {
      const more = token === "" ? {} : { page_token: token };
      const answer = await client.json(
        "GET",
        `${call}?${new URLSearchParams({ ...query, ...more })}`,
      );
      entries.push(...entriesIn(answer));
      token = text(answer?.["next_page_token"]);
      if (token === "") break;
    }
    return entries;
  }

  /** What has a folder beside a holder's own, asked for once; null where that cannot be told. */
  const beside = new Map<string, Promise<ReadonlySet<string> | null>>();

  /**
   * Whether a holder has a folder at all. Most runs have no file, and to look into the folder of
   * each takes a server longer than all else that it is asked for.
   */
  async function hasFolder({ id, uri }: Holder): Promise<boolean> {
    const path = proxiedPath(uri);
    const own = `/${id}/artifacts`;
    if (path?.endsWith(own) !== true) return true;
    const above = path.slice(0, -own.length);
    const query = new URLSearchParams({ path: above });
    const asked =
      beside.get(above) ??
      client.json("GET", `${PROXY}?${query}`).then(
        (answer) => new Set(entriesIn(answer).map(({ name }) => name)),
        () => null,
      );
    beside.set(above, asked);
    const names = await asked;
    return names === null || names.has(id);
  }

  function wayOf({ of, id, uri }: Holder): Way {
    const proxied = proxiedPath(uri);
    if (proxied !== null) {
      const below = (path: string) => [proxied, path].filter((part) => part !== "").join("/");
      return {
        folder: async (path) =>
          entriesIn(
            await client.json("GET", `${PROXY}?${new URLSearchParams({ path: below(path) })}`),
          ),
        address: (path) => `${PROXY}/${escaped(below(path))}`,
      };
    }
    if (of === "run") {
      return {
        folder: (path) => told("/api/2.0/mlflow/artifacts/list", { run_id: id, path }),
        address: (path) => `/get-artifact?${new URLSearchParams({ run_id: id, path })}`,
      };
    }
    const model = `2.0/mlflow/logged-models/${encodeURIComponent(id)}/artifacts`;
    return {
      folder: (path) => told(`/api/${model}/directories`, { artifact_directory_path: path }),
      address: (path) =>
        `/ajax-api/${model}/files?${new URLSearchParams({ artifact_file_path: path })}`,
    };
  }

  async function* below(way: Way, folder: string, depth: number): AsyncGenerator<GivenFile> {
    if (depth > DEPTH) throw skipped(`its folders are more than ${DEPTH} deep`);
    for (const { name, isFolder, size } of await way.folder(folder)) {
      const path = folder === "" ? name : `${folder}/${name}`;
      if (isFolder) yield* below(way, path, depth + 1);
      else yield { path, size };
    }
  }

  return {
    forget: () => beside.clear(),
    files: async function* (holder) {
      if (await hasFolder(holder)) yield* below(wayOf(holder), "", 0);
    },
    read: (holder, path) => client.bytes(wayOf(holder).address(path)),
  };
}

/** Names of what is in a folder: the last part of what is told, whatever that is below. */
function entriesIn(answer: Json | null): Entry[] {
  if (answer === null) throw skipped("the source does not list its files");
  return list(answer["files"]).flatMap(({ path, is_dir, file_size }) => {
    const name = text(path).replace(/\/+$/, "").split("/").at(-1) ?? "";
    if (name === "" || name === "." || name === "..") return [];
    const isFolder = is_dir === true;
    const size = file_size === undefined || file_size === null ? null : Number(file_size);
    return { name, isFolder, size: isFolder ? null : size };
  });
}

/** The path below the server's own proxy; null for files that are elsewhere. */
function proxiedPath(uri: string): string | null {
  const path = /^mlflow-artifacts:\/(?!\/[^/])\/*([^?#]*)/.exec(uri)?.[1];
  return path === undefined ? null : path.replace(/\/+$/, "");
}

const escaped = (path: string): string => path.split("/").map(encodeURIComponent).join("/");
