/*
 * What the tracking protocol refuses, in the kinds that its clients tell apart. A client decides
 * by the kind, so that a function of this room names one and the wire only translates it.
 */
import { SluiceError } from "../errors.ts";

const refusal =
  (code: string, status: number) =>
  (detail: string): SluiceError =>
    new SluiceError({ code, status, detail });

/** What was given cannot be taken (400, INVALID_PARAMETER_VALUE). */
export const badParameter = refusal("invalid_parameter", 400);
/** There is one of that name, deleted ones included (400, RESOURCE_ALREADY_EXISTS). */
export const alreadyExists = refusal("already_exists", 400);
/** There is none of that name (404, RESOURCE_DOES_NOT_EXIST). */
export const doesNotExist = refusal("does_not_exist", 404);
/** What is there is not in the state for it (400, INVALID_STATE). */
export const wrongState = refusal("wrong_state", 400);
/** Nothing here does that (501, NOT_IMPLEMENTED). */
export const notSupported = refusal("not_supported", 501);
