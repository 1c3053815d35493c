/*
 * Every table. Instants of the market are timestamptz; MLflow's own times are milliseconds in
 * bigint, as its protocol says. Change a table here, then run `bun run migration` for the next
 * numbered SQL, and name that in migrations.ts.
 */
export * from "./schema/access.ts";
export * from "./schema/flow.ts";
export * from "./schema/forecasts.ts";
export * from "./schema/logged.ts";
export * from "./schema/markets.ts";
export * from "./schema/registry.ts";
export * from "./schema/tables.ts";
export * from "./schema/tracking.ts";
