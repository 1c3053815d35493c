/*
 * Names for runs that nobody named: how a run was, what it was, and a number.
 */
const MOODS = (
  "able amber bold brave brisk calm clear clever cool daring deft eager early fair fast fine firm " +
  "fond fresh gentle glad golden grand handy honest humble keen kind lively lucky merry mild neat " +
  "noble patient plain polite proud quick quiet ready rustic sharp shiny silent sleek smart smooth " +
  "steady still sturdy sunny swift tidy upbeat vivid warm wise witty young zesty"
).split(" ");
const BEASTS = (
  "auk bat bear bee bison boar buck carp cat cod colt cow crab crane crow deer dog dove duck eel " +
  "elk emu ewe fawn finch fish fox frog goat goose grouse gull hare hawk hen heron horse jay kite " +
  "koi lamb lark lynx mink mole moose moth mouse mule newt otter owl ox perch pike pony quail ram " +
  "raven robin roe seal shad sheep shrew skunk slug snail snipe sole squid stoat stork swan tern " +
  "toad trout vole wasp whale wolf worm wren yak zebra"
).split(" ");

const oneOf = <T>(items: readonly T[]): T => items[Math.floor(Math.random() * items.length)]!;

/** A name such as `calm-otter-417`; two runs may draw the same. */
export const drawnName = (): string =>
  `${oneOf(MOODS)}-${oneOf(BEASTS)}-${Math.floor(Math.random() * 1_000)}`;
