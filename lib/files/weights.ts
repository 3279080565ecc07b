import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

interface Candidate {
  readonly name: string;
  readonly rank: readonly number[];
}

/** Smaller is better: safetensors before pickles, no variant before fp16 before others, one file before shards. */
const candidate = (name: string, base: string, baseRank: number): Candidate | undefined => {
  if (!name.startsWith(`${base}.`)) return undefined;
  // base[.variant].safetensors, and of an index base.safetensors.index.json with the variant in any of three places
  const match =
    /^(?:\.([a-z0-9_]+))?\.(safetensors|bin)(?:(?:\.([a-z0-9_]+))?\.index(?:\.([a-z0-9_]+))?\.json)?$/i.exec(
      name.slice(base.length),
    );
  if (!match) return undefined;
  const variant = match[1] ?? match[3] ?? match[4];
  const variantRank = variant === undefined ? 0 : variant === 'fp16' ? 1 : 2;
  return { name, rank: [match[2] === 'bin' ? 1 : 0, variantRank, name.endsWith('.json') ? 1 : 0, baseRank] };
};

const compare = (a: Candidate, b: Candidate): number => {
  const at = a.rank.findIndex((rank, i) => rank !== b.rank[i]);
  return at < 0 ? (a.name < b.name ? -1 : 1) : a.rank[at]! - b.rank[at]!;
};

/** Of the files of a component's folder the weights (or index of shards), by the names that they may have; undefined for none. */
export const bestWeights = (names: readonly string[], bases: readonly string[]): string | undefined => {
  const found = names.flatMap((name) => bases.flatMap((base, rank) => candidate(name, base, rank) ?? []));
  return found.sort(compare)[0]?.name;
};

/** The path of the weights in a component's folder; undefined for none. */
export const weightsIn = async (folder: string, bases: readonly string[]): Promise<string | undefined> => {
  const best = bestWeights(await readdir(folder).catch(() => []), bases);
  return best && join(folder, best);
};
