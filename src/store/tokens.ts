/*
 * Bearer tokens. Only their sha256 is stored; the token is shown once, when it is made.
 */
import { and, asc, eq, isNull } from "drizzle-orm";
import { SluiceError } from "../errors.ts";
import type { Instant } from "../types.ts";
import type { Database } from "./database.ts";
import { sha256 } from "./objects.ts";
import { isUniqueViolation } from "./pipeline-runs.ts";
import { tokens } from "./schema.ts";
import { newToken, type Scope } from "./token.ts";

export interface TokenInfo {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly createdAt: Instant;
  readonly revokedAt: Instant | null;
}

export type Tokens = ReturnType<typeof makeTokens>;

/** The SQL of tokens. */
export function makeTokens(database: Database, clock: { now(): Instant }) {
  const { orm } = database;
  return {
    /** Makes a token and returns it: the only time that it is known. */
    create: async (name: string, scopes: readonly Scope[]): Promise<string> => {
      const token = newToken();
      try {
        await orm
          .insert(tokens)
          .values({ name, digest: sha256(token), scopes: [...scopes], createdAt: clock.now() });
      } catch (thrown) {
        if (isUniqueViolation(thrown)) throw nameTaken(name);
        throw thrown;
      }
      return token;
    },
    list: async (): Promise<TokenInfo[]> =>
      (await orm.select().from(tokens).orderBy(asc(tokens.name))).map(infoOf),
    /** Ends a token; false when no live one has the name. */
    revoke: async (name: string): Promise<boolean> => {
      const rows = await orm
        .update(tokens)
        .set({ revokedAt: clock.now() })
        .where(and(eq(tokens.name, name), isNull(tokens.revokedAt)))
        .returning({ name: tokens.name });
      return rows.length === 1;
    },
    /** The live token that was presented, or null. */
    find: async (token: string): Promise<TokenInfo | null> => {
      const rows = await orm
        .select()
        .from(tokens)
        .where(and(eq(tokens.digest, sha256(token)), isNull(tokens.revokedAt)));
      return rows[0] === undefined ? null : infoOf(rows[0]);
    },
  };
}

const infoOf = (row: typeof tokens.$inferSelect): TokenInfo => ({
  name: row.name,
  scopes: row.scopes as Scope[],
  createdAt: row.createdAt,
  revokedAt: row.revokedAt,
});

const nameTaken = (name: string): SluiceError =>
  new SluiceError({
    code: "token_name_taken",
    status: 409,
    detail: `There is or was a token named "${name}".`,
    fix: "Choose another name; a revoked token keeps its name in the history.",
  });
