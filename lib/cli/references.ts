import type { Option } from 'commander';
import { OptionError } from '../index.js';

/** What a list of pictures is called on the command line. */
export interface ListWords {
  /** Its options, what they are of, and what begins an entry. */
  readonly option: string;
  readonly what: string;
  readonly add: string;
}

const REFERENCES: ListWords = {
  option: 'An adapter option',
  what: 'a reference',
  add: '--reference FILE or --face FILE',
};

/** What the command line says about one reference or face: its pictures, and its options by name. */
export interface ReferenceFlags {
  readonly kind: 'reference' | 'face';
  readonly images: readonly string[];
  readonly flags: Readonly<Record<string, unknown>>;
}

/**
 * Collects `--reference` and the flags that belong to it, in the order of the command line: `--adapter`, `--scale` …
 * speak of the reference before them (or of the first one, when they come ahead of it). A further `--reference` without
 * an adapter of its own is one more picture for the same adapter; each `--face` is a person of its own.
 */
export class ReferenceList {
  private readonly seen: {
    readonly kind: ReferenceFlags['kind'];
    readonly image: string;
    readonly flags: Record<string, unknown>;
  }[] = [];
  private ahead: Record<string, unknown> = {};

  constructor(private readonly words: ListWords = REFERENCES) {}

  /** Makes a flag of the command line speak of a reference. */
  collect(option: Option, name: string, kind: ReferenceFlags['kind']): void {
    const parse = option.parseArg;
    option.argParser((text) => {
      if (name === 'image') this.add(kind, text);
      else this.set(name, parse ? parse(text, undefined) : text);
    });
  }

  private add(kind: ReferenceFlags['kind'], image: string): void {
    this.seen.push({ kind, image, flags: this.ahead });
    this.ahead = {};
  }

  private set(name: string, value: unknown): void {
    const flags = this.seen.at(-1)?.flags ?? this.ahead;
    flags[name] = value;
  }

  /** Whether pictures were given. */
  get isEmpty(): boolean {
    return this.seen.length === 0;
  }

  /** Takes the options that were given without a picture: they speak of one that is there already. */
  withoutPicture(): Readonly<Record<string, unknown>> {
    if (!this.isEmpty) return {};
    const options = this.ahead;
    this.ahead = {};
    return options;
  }

  /** References in order, pictures of one adapter joined. */
  grouped(): ReferenceFlags[] {
    if (Object.keys(this.ahead).length > 0) {
      throw new OptionError(
        'OPTION_CONFLICT',
        `${this.words.option} was given without ${this.words.what}`,
        `Add ${this.words.add}`,
      );
    }
    const groups: { kind: ReferenceFlags['kind']; images: string[]; flags: Record<string, unknown> }[] = [];
    for (const { kind, image, flags } of this.seen) {
      const before = groups.at(-1);
      const joins = kind === 'reference' && before?.kind === kind && Object.keys(flags).length === 0;
      if (joins) before.images.push(image);
      else groups.push({ kind, images: [image], flags });
    }
    return groups;
  }
}
