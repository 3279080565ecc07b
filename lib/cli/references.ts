import { OptionError } from '../index.js';

/** What the command line says about one reference picture. */
export interface ReferenceFlags {
  readonly images: string[];
  adapter?: string;
  scale?: string;
  loraScale?: number;
  structureScale?: number;
  pickFace?: string;
}

/**
 * Collects `--reference` and the flags that belong to it, in the order of the command line: `--adapter`, `--scale` …
 * speak of the reference before them (or of the first one, when they come ahead of it). A further `--reference` without
 * an adapter of its own is one more picture for the same adapter.
 */
export class ReferenceList {
  private readonly seen: ReferenceFlags[] = [];
  private ahead: Partial<ReferenceFlags> = {};

  add(image: string): void {
    this.seen.push({ images: [image], ...this.ahead });
    this.ahead = {};
  }

  set<K extends Exclude<keyof ReferenceFlags, 'images'>>(key: K, value: ReferenceFlags[K]): void {
    const target = this.seen.at(-1) ?? this.ahead;
    target[key] = value as ReferenceFlags[K] & undefined;
  }

  /** References in order, pictures of one adapter joined. */
  grouped(): ReferenceFlags[] {
    if (Object.keys(this.ahead).length > 0) {
      throw new OptionError(
        'OPTION_CONFLICT',
        'An adapter option was given without a reference',
        'Add --reference FILE',
      );
    }
    const groups: ReferenceFlags[] = [];
    for (const one of this.seen) {
      const before = groups.at(-1);
      const { images, ...own } = one;
      if (before && Object.values(own).every((value) => value === undefined)) before.images.push(...images);
      else groups.push({ ...own, images: [...images] });
    }
    return groups;
  }
}
