/*
 * Forecasts and what came of them.
 */
import { sql } from "drizzle-orm";
import {
  doublePrecision,
  index,
  integer,
  jsonb,
  pgTable,
  text,
  uniqueIndex,
} from "drizzle-orm/pg-core";
import { instant } from "./columns.ts";

export const forecasts = pgTable(
  "forecasts",
  {
    id: text().primaryKey(),
    model: text().notNull(),
    version: integer().notNull(),
    modelDigest: text("model_digest").notNull(),
    inputsDigest: text("inputs_digest").notNull(),
    market: text().notNull(),
    targetStart: instant("target_start").notNull(),
    madeAt: instant("made_at").notNull(),
    /** The whole answer as it was given. */
    answer: jsonb().$type<Record<string, unknown>>().notNull(),
    up: doublePrecision(),
    /** Probability of up by each baseline, fitted on what the version was trained on. */
    baselines: jsonb().$type<Record<string, number>>().notNull().default({}),
    /** Filled when the target candle closes; `no_candle` where nothing traded. */
    outcome: text({ enum: ["up", "down", "unchanged", "no_candle"] }),
    outcomeReturn: doublePrecision("outcome_return"),
    outcomeAt: instant("outcome_at"),
  },
  (t) => [
    uniqueIndex("forecasts_same").on(t.model, t.targetStart, t.modelDigest, t.inputsDigest),
    index("forecasts_newest").on(
      t.model,
      t.targetStart.desc().nullsFirst(),
      t.madeAt.desc().nullsFirst(),
    ),
    index("forecasts_of_slot").on(t.market, t.targetStart),
    index("forecasts_open").on(t.market, t.targetStart).where(sql`outcome is null`),
  ],
);
