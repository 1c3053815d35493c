/*
 * What is wrong with a search. The texts begin as MLflow's do where its clients look at them.
 */
import type { SluiceError } from "../../errors.ts";
import { badParameter } from "../refusal.ts";

/** `invalid_parameter` (400): what was wrong, and what is accepted. */
export const badSearch = (detail: string, accepted: string): SluiceError =>
  badParameter(`${detail} ${accepted}`);

/** Quoted, and no longer than a line. */
export const shown = (text: string): string =>
  `'${text.length > 120 ? `${text.slice(0, 120)}…` : text}'`;
