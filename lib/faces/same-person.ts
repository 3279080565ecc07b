/** Lowest cosine at which a face of a further picture is taken for the person of the first one. */
export const FOLLOWED = 0.35;

/**
 * Lowest cosine of references of one person, by the length of a recogniser's identity: 512 numbers w600k_r50 and those of its
 * kind, 128 SFace. References may be more varied than a check of identity should allow.
 */
const SAME: Readonly<Record<number, number>> = { 128: 0.363, 512: 0.3 };
const SAME_OTHERS = 0.3;
const MARGIN = 0.15; // above it a reference may be unlike the rest and is still trusted

/** Cosine of two identities of any length. */
export const cosine = (a: Float32Array, b: Float32Array): number => {
  let [dot, left, right] = [0, 0, 0];
  for (const [i, value] of a.entries()) {
    dot += value * b[i]!;
    left += value * value;
    right += b[i]! * b[i]!;
  }
  return dot / Math.sqrt(left * right);
};

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
};

/** An identity that is unlike the others. */
export interface Outlier {
  readonly index: number;
  /** Median of its cosines to the others. */
  readonly value: number;
  readonly reason: string;
}

const shown = (value: number): string => value.toFixed(2);

/**
 * Identities that do not seem to be of the person that the others show, the least like first; of two that are unlike each
 * other both.
 */
export const outliersOf = (identities: readonly Float32Array[]): readonly Outlier[] => {
  if (identities.length < 2) return [];
  const same = SAME[identities[0]!.length] ?? SAME_OTHERS;
  const likeness = identities.map((one, i) =>
    median(identities.filter((_, k) => k !== i).map((it) => cosine(one, it))),
  );
  const usual = median(likeness);
  const spread = median(likeness.map((value) => Math.abs(value - usual)));
  const least = usual - 3 * spread;
  return likeness
    .flatMap((value, index): Outlier[] => {
      if (value < same) return [{ index, value, reason: `below ${shown(same)}, the least of one person` }];
      if (value < least && value < same + MARGIN)
        return [{ index, value, reason: `below ${shown(least)}, far from the others' ${shown(usual)}` }];
      return [];
    })
    .sort((a, b) => a.value - b.value || b.index - a.index);
};

/** How many of `count` may be left out: what is left is the larger part. */
export const mostDropped = (count: number): number => Math.floor((count - 1) / 2);
