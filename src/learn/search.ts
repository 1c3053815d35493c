/*
 * Hyper-parameters by trial: options are drawn from a declared space, each trial's loss is measured
 * by the caller on rows that its fit has not seen, and the lowest wins. Random search (Bergstra and
 * Bengio 2012), or successive halving (Jamieson and Talwalkar 2016): many trials on a small budget,
 * the best third of them on three times as much, and so on. A trial goes on as soon as it is in the
 * best third of those so far (Li et al. 2020), so that also a search that runs out of time has
 * trials on the whole budget.
 */
import { SluiceError } from "../errors.ts";
import { clamp, exp, log } from "./math.ts";
import { makeRandom, type Random } from "./random.ts";

/** Numbers from low to high, ends included, drawn evenly on the scale. */
export interface Range {
  readonly low: number;
  readonly high: number;
  /** "log": every ratio is as likely; low must be above 0. */
  readonly scale: "linear" | "log";
  readonly integer?: boolean;
}

export type OptionValue = number | string | boolean;

/** What may be tried, by the option's name: a range, or a list of values. */
export type Space = Readonly<Record<string, Range | readonly OptionValue[]>>;

/** One drawn point of a space. */
export type Options = Readonly<Record<string, OptionValue>>;

/** One measurement: which draw, what was tried with which budget, and what came of it. */
export interface Trial {
  /** 0, 1, 2… in the order in which they were run. */
  readonly number: number;
  /** The draw it belongs to: in halving one draw has a trial on each rung that it reaches. */
  readonly draw: number;
  /** 0 is the first rung; random search has no other. */
  readonly rung: number;
  /** Share of the full budget (rounds, or rows), in (0, 1]. */
  readonly budget: number;
  readonly options: Options;
  /** Lower is better; null where the fit gave no finite number, which never wins. */
  readonly loss: number | null;
}

export interface Search {
  readonly space: Space;
  readonly method: "random" | "halving";
  /** Draws at most, `first` counted in. */
  readonly trials: number;
  readonly seed: number;
  /** Tried before anything that is drawn, such as the defaults; part of the space or not. */
  readonly first?: Options;
  /** Measures options with a share of the budget. What it throws ends the search. */
  readonly loss: (options: Options, budget: number) => number | null;
  /** Asked before each trial but the first: true ends the search with what has been found. */
  readonly isOver?: () => boolean;
  readonly onTrial?: (trial: Trial) => void;
  /** Halving: the budget of the first rung (1/9 unless given), in (0, 1]. */
  readonly least?: number;
}

/** The winner: the lowest loss among those of the largest budget reached; null if none was finite. */
export interface Found {
  readonly best: Trial | null;
  readonly trials: readonly Trial[];
  /** Whether `isOver` ended it early. */
  readonly cut: boolean;
}

/** How many times more budget each rung has, and which part of its trials goes on. */
const GROWTH = 3;
const LEAST_BUDGET = 1 / 9;

/**
 * Searches the space. Draw number n depends on seed and n alone, so a search that is cut short has
 * tried what a longer one would have tried first, in the same order. Equal losses go to the earlier
 * draw. Throws `bad_option` for a space or a number of trials that cannot be searched.
 */
export const search = (settings: Search): Found => {
  const { space, method, trials: draws, least = LEAST_BUDGET } = settings;
  checkSpace(space);
  checkNumber("trials", draws, Number.isInteger(draws) && draws >= 1, "a whole number from 1");
  checkNumber("least", least, least > 0 && least <= 1, "a number above 0 and up to 1");
  const budgets = method === "random" ? [1] : budgetsFrom(least);
  const trials: Trial[] = [];
  let cut = false;
  for (let next = nextOf(trials, draws, budgets); next !== null; ) {
    if (trials.length > 0 && settings.isOver?.() === true) {
      cut = true;
      break;
    }
    const { draw, rung } = next;
    const budget = budgets[rung] ?? 1;
    const before = rung === 0 ? undefined : trials.find((one) => one.draw === draw);
    const options = before?.options ?? optionsOf(settings, draw);
    const measured = settings.loss(options, budget);
    const loss = measured !== null && Number.isFinite(measured) ? measured : null;
    const trial = { number: trials.length, draw, rung, budget, options, loss };
    trials.push(trial);
    settings.onTrial?.(trial);
    next = nextOf(trials, draws, budgets);
  }
  const furthest = trials.reduce((top, t) => (t.loss === null ? top : Math.max(top, t.rung)), 0);
  return { best: ranking(trials.filter((t) => t.rung === furthest))[0] ?? null, trials, cut };
};

/** The draw to try next and its rung: the furthest that may go on, else a new draw; null: none. */
const nextOf = (
  trials: readonly Trial[],
  draws: number,
  budgets: readonly number[],
): { draw: number; rung: number } | null => {
  const on = (rung: number) => trials.filter((trial) => trial.rung === rung);
  const drawn = budgets.length === 1 ? trials.length : on(0).length;
  // Once all are drawn, a rung's last few also send their best.
  const share = (count: number) => (drawn < draws ? Math.floor : Math.ceil)(count / GROWTH);
  for (let rung = budgets.length - 2; rung >= 0; rung--) {
    const done = on(rung);
    const above = new Set(on(rung + 1).map(({ draw }) => draw));
    const best = ranking(done).slice(0, share(done.length));
    const next = best.find(({ draw }) => !above.has(draw));
    if (next !== undefined) return { draw: next.draw, rung: rung + 1 };
  }
  return drawn < draws ? { draw: drawn, rung: 0 } : null;
};

/** Trials of finite loss, lowest first; equals in the order of their draws. */
const ranking = (trials: readonly Trial[]): Trial[] =>
  trials
    .filter((trial) => trial.loss !== null)
    .sort((a, b) => (a.loss ?? 0) - (b.loss ?? 0) || a.draw - b.draw);

/** least, 3 least, 9 least… and 1. */
const budgetsFrom = (least: number): number[] => {
  const budgets: number[] = [];
  for (let budget = least; budget < 1 - 1e-9; budget *= GROWTH) budgets.push(budget);
  return [...budgets, 1];
};

/** The options of a draw: a stream of its own, so that no draw depends on how many came before. */
const optionsOf = ({ space, seed, first }: Search, draw: number): Options => {
  if (draw === 0 && first !== undefined) return first;
  const random = makeRandom(Math.imul(seed, 0x85ebca6b) ^ Math.imul(draw + 1, 0x9e3779b1));
  return Object.fromEntries(
    Object.entries(space).map(([name, values]) => [name, drawFrom(values, random)]),
  );
};

const drawFrom = (values: Range | readonly OptionValue[], random: Random): OptionValue => {
  if (isList(values)) return values[random.integer(values.length)] ?? 0;
  const { low, high, scale, integer = false } = values;
  const share = random.next();
  // Whole numbers: each has the same room, the two ends too.
  const [from, to] = integer ? [low - 0.5, high + 0.5] : [low, high];
  const drawn =
    scale === "linear"
      ? from + share * (to - from)
      : exp(log(from) + share * (log(to) - log(from)));
  return clamp(integer ? Math.round(drawn) : drawn, low, high);
};

const isList = (values: Range | readonly OptionValue[]): values is readonly OptionValue[] =>
  Array.isArray(values);

const checkSpace = (space: Space): void => {
  for (const [name, values] of Object.entries(space)) {
    if (isList(values)) {
      if (values.length === 0) refuse(`search space ${name} is an empty list`, "Give a value.");
      continue;
    }
    const { low, high, scale, integer = false } = values;
    const said = `search space ${name} is ${low} to ${high} (${scale})`;
    if (!(Number.isFinite(low) && Number.isFinite(high) && low <= high)) {
      refuse(said, "Give two finite numbers, low not above high.");
    }
    if (scale !== "linear" && scale !== "log") refuse(said, "The scale is linear or log.");
    if (scale === "log" && !(low > 0)) refuse(said, "On a log scale low must be above 0.");
    if (integer && !(Number.isInteger(low) && Number.isInteger(high))) {
      refuse(said, "The ends of a whole-number range must be whole.");
    }
  }
};

const checkNumber = (name: string, value: number, isFit: boolean, accepted: string): void => {
  if (!isFit) refuse(`search option ${name} is ${value}`, `Give ${accepted}.`);
};

const refuse = (detail: string, fix: string): never => {
  throw new SluiceError({ code: "bad_option", status: 422, detail, fix });
};
