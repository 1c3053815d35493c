/*
 * Searches of a running tracking server, page by page.
 */
import type { Json, MlflowClient } from "../client.ts";
import { unreachable } from "../faults.ts";
import { text } from "../message.ts";

export const API = "/api/2.0/mlflow";

/** Pages of a search, each a message with more or less in it; none where there is no such call. */
export type Pages = (
  method: "GET" | "POST",
  path: string,
  message: Readonly<Record<string, unknown>>,
) => AsyncGenerator<Json>;

/** Asks for one page after the other, each with the token that the one before gave. */
export const makePages = (client: MlflowClient): Pages =>
  async function* (method, path, message) {
    let token = "";
    for (;;) {
      const given = { ...message, ...(token === "" ? {} : { page_token: token }) };
      const answer =
        method === "POST"
          ? await client.json("POST", `${API}/${path}`, given)
          : await client.json("GET", `${API}/${path}?${queryOf(given)}`);
      if (answer === null) return;
      yield answer;
      const next = text(answer["next_page_token"]);
      if (next === "") return;
      if (next === token) throw unreachable(path, "its pages do not go on");
      token = next;
    }
  };

/** A message as a query. */
export const queryOf = (message: Readonly<Record<string, unknown>>): URLSearchParams =>
  new URLSearchParams(
    Object.entries(message).map(([name, value]): [string, string] => [name, text(value)]),
  );
