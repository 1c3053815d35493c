/*
 * Codes of the MLflow protocol, whose clients decide by a kind of error: each stands for one.
 */
import type { CodeRows } from "./row.ts";

export const trackingCodes: CodeRows = {
  already_exists: [
    "Name taken",
    "There is one of that name, perhaps deleted (RESOURCE_ALREADY_EXISTS).",
    "Use another name, or restore what is deleted.",
  ],
  does_not_exist: [
    "No such thing",
    "There is nothing of that name or id (RESOURCE_DOES_NOT_EXIST).",
    "Look the name up, or make it first.",
  ],
  invalid_parameter: [
    "Parameter not accepted",
    "A call of the MLflow protocol lacks something or holds what it cannot hold.",
    "Correct the parameter that the sentence names.",
  ],
  not_supported: [
    "Not supported",
    "The store that is configured cannot do that (NOT_IMPLEMENTED).",
    "Do what the sentence says instead; clients do so by themselves.",
  ],
  wrong_state: [
    "Not in its state",
    "What is there is not in the state for that (INVALID_STATE).",
    "Bring it into that state first: restore what is deleted.",
  ],
};
