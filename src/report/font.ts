/*
 * Letters for pictures: 5 dots wide and 7 high. A glyph is a digit of base 32 a row from the top, the
 * leftmost dot worth 16; two more rows are below the foot of the line. What has no glyph is a box.
 */
const GLYPHS: Readonly<Record<string, string>> = {
  ...glyphs(
    "0123456789",
    "4ahhha4 4c4444e eh1248v v2421he 26aiv22 vgu11he 68guhhe v124888 ehhehhe ehhf12c",
  ),
  ...glyphs("ABCDEFGHI", "ehhvhhh uhhuhhu ehggghe sihhhis vgguggv vgguggg ehgnhhf hhhvhhh e44444e"),
  ...glyphs("JKLMNOPQR", "72222ic hikokih ggggggv hrllhhh hhpljhh ehhhhhe uhhuggg ehhhlid uhhukih"),
  ...glyphs("STUVWXYZ", "fgge11u v444444 hhhhhhe hhhhha4 hhhllla hha4ahh hhha444 v1248gv"),
  ...glyphs(
    "abcdefghi",
    "00e1fhf ggmphhu 00egghe 11djhhf 00ehvge 698s888 00fhhhf1e ggmphhh 40c444e",
  ),
  ...glyphs(
    "jklmnopqr",
    "2062222ic ggikoki c44444e 00qllhh 00mphhh 00ehhhe 00uhhhugg 00fhhhf11 00mpggg",
  ),
  ...glyphs("stuvwxyz", "00ege1u 88s8896 00hhhjd 00hhha4 00hhlla 00ha4ah 00hhhhf1e 00v248v"),
  ...glyphs(" !\"#$%&'", "0000000 4444004 aaa0000 aavavaa 4fke5u4 op248j3 cik8lid c480000"),
  ...glyphs("()*+,-./", "2488842 8422248 04lel40 044v440 0000c48 000v000 00000cc 01248g0"),
  ...glyphs(":;<=>?@", "0cc0cc0 0cc0c48 248g842 00v0v00 8421248 eh12404 eh1dlle"),
  ...glyphs("[\\]^_`", "e88888e 0g84210 e22222e 4ah0000 000000v 8420000"),
  ...glyphs("{|}~", "2448442 4444444 8442448 0008l20"),
  ...glyphs("…–", "000000l 000v000"),
};
const UNKNOWN = "vhhhhhv";

/** Dots of a glyph, and from one to the next. */
export const GLYPH = { width: 5, height: 7, step: 6 } as const;

/** The dots of a text's characters: column and row within the text, row 0 at the top. */
export const dotsOf = (text: string): { readonly column: number; readonly row: number }[] =>
  [...text].flatMap((character, place) =>
    [...(GLYPHS[character] ?? UNKNOWN)].flatMap((digit, row) => {
      const bits = Number.parseInt(digit, 32);
      return [0, 1, 2, 3, 4].flatMap((column) =>
        ((bits >> (4 - column)) & 1) === 1 ? [{ column: place * GLYPH.step + column, row }] : [],
      );
    }),
  );

/** How many dots a text is wide. */
export const dotsWide = (text: string): number =>
  Math.max(0, [...text].length * GLYPH.step - (GLYPH.step - GLYPH.width));

function glyphs(characters: string, drawn: string): Record<string, string> {
  const each = drawn.split(" ");
  return Object.fromEntries([...characters].map((character, i) => [character, each[i] ?? UNKNOWN]));
}
