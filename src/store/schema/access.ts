/*
 * Bearer tokens.
 */
import { pgTable, text } from "drizzle-orm/pg-core";
import { instant } from "./columns.ts";

export const tokens = pgTable("tokens", {
  name: text().primaryKey(),
  /** sha256 of the token; the token itself is shown once and never stored. */
  digest: text().notNull().unique(),
  scopes: text().array().notNull(),
  createdAt: instant("created_at").notNull(),
  revokedAt: instant("revoked_at"),
});
