/*
 * Codes of requests that are wrong in themselves, and of the server that is asked.
 */
import type { CodeRows } from "./row.ts";

export const requestCodes: CodeRows = {
  bad_bearer: [
    "Token not accepted",
    "The Authorization header holds no token that is known and live.",
    "Send `Authorization: Bearer <token>` with a token that `sluice token list` shows as live.",
  ],
  bad_encoding: ["Body not UTF-8", "The bytes of the body are no UTF-8 text.", "Send UTF-8."],
  bad_json: [
    "Body not JSON",
    "The body cannot be read as JSON. NaN, Infinity, comments and trailing commas are no JSON.",
    "Send one JSON object; write a missing number as null.",
  ],
  bad_limit: [
    "Page size not accepted",
    "A list was asked for more items than one page may hold, or for none.",
    "Ask for 1 to 1,000 items and follow `next`.",
  ],
  bad_name: [
    "Name not accepted",
    "A name in the address or in the body has characters that names here never have.",
    "Use lower-case letters, digits, _ and -, at most 63, beginning with a letter or digit.",
  ],
  bad_path: [
    "Path not accepted",
    "The path of an artifact could mean a place outside its run.",
    "Use the relative path that the run's list of artifacts shows.",
  ],
  bad_range: [
    "Range not accepted",
    "`from` and `to` enclose no closed candle.",
    "Give `from` before `to`; a backfill needs closed candles between them.",
  ],
  bad_slot: [
    "Slot not accepted",
    "The instant is no 4-hour boundary, or it has not come yet.",
    "Give 00, 04, 08, 12, 16 or 20 o'clock UTC of a time that has passed.",
  ],
  bad_token: [
    "Page token not accepted",
    "The token of a page is not one that this list has given.",
    "Give the `next` of the page before unchanged, or none for the first page.",
  ],
  body_cut: [
    "Body ended early",
    "The connection broke, or the body was shorter than it said.",
    "Send the request again.",
  ],
  body_too_large: [
    "Body too large",
    "The body is over 8 MiB, 256 MiB for an import, or 4 GiB for a stream of rows.",
    "Send the rows in several requests, or the file in several parts.",
  ],
  deadline_exceeded: [
    "Not done in time",
    "The request took longer than a request may take; whether it was carried out is not known.",
    "Look at the state before repeating it; long work belongs into pipeline runs.",
  ],
  forbidden: [
    "Scope missing",
    "The token is good but was not made for this.",
    "Use a token whose scopes hold the one that `fix` names.",
  ],
  internal_error: [
    "Internal error",
    "A fault of Sluice. The log of the server tells more at the request's id.",
    "Report it with the log's lines.",
  ],
  invalid_body: [
    "Body not accepted",
    "The JSON body has unknown, missing or wrong members; `faults` lists each with its path.",
    "Correct what is listed.",
  ],
  inference_refused: [
    "Model refused the tensors",
    "The tensors fit the model's signature, but the model itself fails on them.",
    "Send tensors whose shapes and values go together as the model wants them.",
  ],
  invalid_inference: [
    "Inference not accepted",
    "A request to /v2 has unknown, missing or wrong members or tensors; the error lists each.",
    "Correct what is listed; GET /v2/models/{model} tells names, datatypes and shapes.",
  ],
  invalid_instances: [
    "Rows not accepted",
    "Rows to predict have unknown, missing or wrong columns; `faults` lists each with its path.",
    "Give every column of the model's signature as a finite JSON number, or null where missing.",
  ],
  invalid_query: [
    "Query not accepted",
    "A parameter in the address is unknown, repeated or wrong.",
    "Correct what `faults` lists. In an address a + is written %2B.",
  ],
  line_too_long: [
    "Line too long",
    "A line of newline-delimited JSON is over 1 MiB: the rows are not parted by line feeds.",
    "Write one row a line, each ended by a line feed.",
  ],
  method_not_allowed: [
    "Method not allowed",
    "The address exists, but not for this method.",
    "Use a method that the Allow header names.",
  ],
  no_token: [
    "Token needed",
    "The route needs a token and none was sent.",
    "Send `Authorization: Bearer <token>`.",
  ],
  not_explainable: [
    "Model not explainable",
    "The version was made before its artifact held what explanations of market models need.",
    "Ask without `explain`, or retrain the model.",
  ],
  model_failing: [
    "Model fails",
    "The loaded model answers nothing any more, not even what it is tried with before it serves.",
    "Try again in a second: it is loaded anew until it answers. See the log if it stays.",
  ],
  not_ready: [
    "Model not ready",
    "The model has no champion yet: its first training has not ended.",
    "Wait until /readyz answers 200, and see the model's pipeline runs if it does not.",
  ],
  output_not_json: [
    "Output not for JSON",
    "An output asked for at /v2 holds NaN or an infinity, which JSON cannot say.",
    "Ask for it as binary data, or look at the inputs.",
  ],
  queue_full: [
    "Queue full",
    "So many rows wait for the model that no more are taken.",
    "Send the request again after `Retry-After` seconds, or to another replica.",
  ],
  queued_too_long: [
    "Queued too long",
    "The model was at work on other requests for longer than a request may wait.",
    "Send the request again after `Retry-After` seconds, or to another replica.",
  ],
  rate_limited: [
    "Too many requests",
    "More requests came from an address, or with a token, than the operator lets one send.",
    "Wait the seconds in Retry-After; send many rows in one request.",
  ],
  slow_body: [
    "Body too slow",
    "The body did not come within 10 seconds, or nothing more of a stream for a minute.",
    "Send it at once.",
  ],
  slow_reader: [
    "Answer not read",
    "Nothing of the answer to a stream of rows was read for a minute.",
    "Read the answer while you send the rows; send those again that have no answer.",
  ],
  starting: [
    "Starting",
    "The server listens, but its database or its models are not open yet.",
    "Try again after the seconds in Retry-After.",
  ],
  stopping: [
    "Stopping",
    "The server finishes what is under way and takes nothing new.",
    "Send the request to another replica, or again when it is back.",
  ],
  tensors_only: [
    "Takes tensors only",
    "A version that was not made here was asked for what only its maker could know.",
    "Ask it by tensors: POST /v2/models/{model}/infer.",
  ],
  too_busy: [
    "Too busy",
    "As many requests are under way as the server takes at once.",
    "Send the request again after the seconds in Retry-After, or to another replica.",
  ],
  too_many_rows: [
    "Too many rows",
    "One request predicts at most 10,000 rows.",
    "Send them in several requests.",
  ],
  unknown_route: ["No such route", "Nothing answers at this address.", "/docs lists every route."],
  unsupported_media_type: [
    "Content type not accepted",
    "The body's Content-Type, charset or Content-Encoding is not read by this route.",
    "Send what `fix` names.",
  ],
};
