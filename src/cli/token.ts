/*
 * Bearer tokens of those who call the server.
 */
import type { RevokedAnswer, TokenAnswer, TokensAnswer } from "./answers.ts";
import { renderTable, timeText } from "./format.ts";
import type { Io, JsonOption } from "./io.ts";
import { withSession } from "./session.ts";

export interface CreateOptions extends JsonOption {
  readonly scope: readonly string[];
}

/** Makes a token and prints it alone, so that a script can take it: the only time it is known. */
export const createToken = (
  io: Io,
  name: string,
  { scope, json }: CreateOptions,
): Promise<number> =>
  withSession(io, async ({ call, note, print }) => {
    const answer = await call<TokenAnswer>("POST", "/admin/tokens", {
      name,
      scopes: scope,
    });
    if (json !== true) note(`Token "${name}" for ${scope.join(", ")}; it is not shown again:`);
    await print(json ? JSON.stringify(answer) : answer.token);
    return 0;
  });

/** Prints every token's name, scopes and dates. */
export const listTokens = (io: Io, { json }: JsonOption): Promise<number> =>
  withSession(io, async ({ call, print }) => {
    const answer = await call<TokensAnswer>("GET", "/admin/tokens");
    const table = renderTable(
      ["name", "scopes", "created", "revoked"].map((title) => ({ title })),
      answer.items.map(({ name, scopes, created_at, revoked_at }) => [
        name,
        scopes.join(", "),
        timeText(created_at),
        timeText(revoked_at),
      ]),
      "No tokens besides the administrator's.",
    );
    await print(json ? JSON.stringify(answer) : table);
    return 0;
  });

/** Ends a token at once. */
export const revokeToken = (io: Io, name: string, { json }: JsonOption): Promise<number> =>
  withSession(io, async ({ call, print }) => {
    const path = `/admin/tokens/${encodeURIComponent(name)}`;
    const answer = await call<RevokedAnswer>("DELETE", path);
    await print(json ? JSON.stringify(answer) : `Token "${name}" is revoked.`);
    return 0;
  });
