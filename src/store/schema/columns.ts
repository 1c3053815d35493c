/*
 * Columns that mean the same in every table.
 */
import { bigint, customType } from "drizzle-orm/pg-core";
import type { Instant } from "../../types.ts";
import { type Whole, wholeOf } from "../whole.ts";

/**
 * timestamptz that is an Instant in TypeScript. Written as ISO text and read by Date, because the
 * two drivers hand over different types.
 */
export const instant = customType<{ data: Instant; driverData: string | Date }>({
  dataType: () => "timestamp (3) with time zone",
  toDriver: (t) => new Date(t).toISOString(),
  fromDriver: (v) => new Date(v).getTime(),
});

/** Milliseconds or a count in a bigint, as MLflow has them. */
export const ms = (name: string) => bigint(name, { mode: "number" });
/** A bigint that clients give, which may be any. */
export const whole = customType<{ data: Whole; driverData: string | number | bigint }>({
  dataType: () => "bigint",
  toDriver: String,
  fromDriver: wholeOf,
});
/** A number that the database gives. */
export const identity = (name: string) =>
  bigint(name, { mode: "number" }).generatedByDefaultAsIdentity();
