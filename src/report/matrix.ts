/* Who was taken for whom, as a picture. */
import { type Drawing, type Marks, marksOf, textMark } from "./drawing.ts";
import { whole } from "./html.ts";
import { clipped, round } from "./plot.ts";

/** Classes that a picture has room for. */
const MOST = 20;

/**
 * Rows by what they were (down) and what they were called (across); a cell is the darker the larger
 * its share of its line. Null of no classes, and of more than can be read.
 */
export const matrixPlot = (
  names: readonly string[],
  matrix: readonly (readonly number[])[],
): Drawing | null => {
  if (names.length === 0 || names.length > MOST) return null;
  const [left, top, room] = [108, 34, 240];
  const cell = round(room / names.length);
  const letters = Math.max(2, Math.floor(cell / 6));
  const marks: Marks = [
    textMark([left + room / 2, 12], "called"),
    textMark([12, top + room / 2], "was", "middle", { turned: true }),
    names.map((name, i) => {
      const middle = round((i + 0.5) * cell);
      return [
        textMark([left + middle, top - 7], clipped(name, letters), "middle", { said: name }),
        textMark([left - 6, round(top + middle + 4)], clipped(name, 14), "end", { said: name }),
      ];
    }),
    matrix.map((row, was) => {
      const total = row.reduce((sum, count) => sum + count, 0);
      return row.map((count, called) => {
        const share = total > 0 ? count / total : 0;
        const [x, y] = [round(left + called * cell), round(top + was * cell)];
        return [
          {
            kind: "box",
            at: [x, y],
            ...{ width: round(cell - 1), height: round(cell - 1), ink: "accent" },
            opacity: round(0.06 + 0.5 * share),
            said: `was ${names[was]}, called ${names[called]}: ${whole(count)}`,
          },
          textMark([round(x + cell / 2), round(y + cell / 2 + 4)], whole(count), "middle", {
            ink: "ink",
          }),
        ];
      });
    }),
  ];
  return { title: "Decisions", width: 360, height: 284, marks: marksOf(marks) };
};
