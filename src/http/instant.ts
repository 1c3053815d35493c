/*
 * Instants as people write them: ISO 8601 with a zone. Without one, a time would be the reader's
 * own, and a Korean reader's midnight is another candle than a British one's.
 */
import type { Instant } from "../types.ts";

export const INSTANT_FORM = "expected a time such as 2025-01-01T00:00:00Z, with Z or an offset";

const clock = "([01]\\d|2[0-3]):[0-5]\\d";
const form = new RegExp(
  `^(\\d{4})-(\\d\\d)-(\\d\\d)T${clock}(:[0-5]\\d(\\.\\d{1,3})?)?(Z|[+-]${clock})$`,
);

/** The instant, or null when the text is no ISO 8601 time with a zone, or no day of a calendar. */
export function parseInstant(text: string): Instant | null {
  const match = form.exec(text);
  if (match === null) return null;
  const [year, month, day] = match.slice(1, 4).map(Number);
  // 30 February would silently become 2 March.
  const date = new Date(Date.UTC(year!, month! - 1, day!));
  if (date.getUTCMonth() !== month! - 1 || date.getUTCDate() !== day!) return null;
  const instant = Date.parse(text);
  return Number.isFinite(instant) ? instant : null;
}
