/*
 * Series of Prometheus that cost nothing to speak of where they are counted: plain numbers, added
 * to in place, which prom-client turns into text when it is asked. Its own histograms take a
 * microsecond and more an observation, these some tens of nanoseconds.
 */
import type { Metric, Registry } from "prom-client";

export interface Counted {
  add(count: number): void;
}

export interface Spread {
  observe(value: number): void;
}

/** The series of one name, one for each combination of label values. */
export interface Family<Series> {
  /** The series of these label values, in the order of the labels; made where there is none. */
  of(...values: readonly string[]): Series;
  /** Lets go of a series; it begins at nothing when it comes again. */
  drop(...values: readonly string[]): void;
}

export interface FamilyOptions {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly registry: Registry;
}

type Labels = Record<string, string>;
type Value = { metricName: string; labels: Labels; value: number };

/** A counter. */
export function counters(options: FamilyOptions): Family<Counted> {
  const { name } = options;
  return familyOf(options, "counter", () => {
    let total = 0;
    return {
      series: {
        add: (count) => {
          total += count;
        },
      },
      values: (labels) => [{ metricName: name, labels, value: total }],
    };
  });
}

/** A histogram with these upper bounds, ascending; one more bucket takes what is above them. */
export function histograms(
  options: FamilyOptions & { readonly buckets: readonly number[] },
): Family<Spread> {
  const { name } = options;
  const bounds = Float64Array.from(options.buckets);
  return familyOf(options, "histogram", () => {
    const counts = new Float64Array(bounds.length + 1);
    let sum = 0;
    return {
      series: {
        observe: (value) => {
          let at = 0;
          while (at < bounds.length && value > bounds[at]!) at++;
          counts[at]!++;
          sum += value;
        },
      },
      values: (labels) => {
        let below = 0;
        const buckets = Array.from(counts, (count, at): Value => {
          below += count;
          const le = at < bounds.length ? String(bounds[at]) : "+Inf";
          return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: below };
        });
        return [
          ...buckets,
          { metricName: `${name}_sum`, labels, value: sum },
          { metricName: `${name}_count`, labels, value: below },
        ];
      },
    };
  });
}

interface Kept<Series> {
  readonly series: Series;
  readonly labels: readonly string[];
  values(labels: Labels): Value[];
}

function familyOf<Series>(
  { name, help, labels, registry }: FamilyOptions,
  type: "counter" | "histogram",
  make: () => Omit<Kept<Series>, "labels">,
): Family<Series> {
  const all = new Map<string, Kept<Series>>();
  const named = (values: readonly string[]): Labels =>
    Object.fromEntries(labels.map((label, i) => [label, values[i] ?? ""]));
  const get = async () => ({
    ...{ name, help, type },
    values: [...all.values()].flatMap((kept) => kept.values(named(kept.labels))),
  });
  // A registry asks a metric for nothing but its name and its values.
  registry.registerMetric({ name, type, get } as unknown as Metric<string>);
  return {
    of: (...values) => {
      const key = values.join("\0");
      let kept = all.get(key);
      if (kept === undefined) {
        kept = { labels: values, ...make() };
        all.set(key, kept);
      }
      return kept.series;
    },
    drop: (...values) => {
      all.delete(values.join("\0"));
    },
  };
}
