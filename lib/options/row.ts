/** What kind of value an option takes; how each is checked is in `kinds.ts`. `special`: its room checks it. */
export type ValueType =
  | 'whole'
  | 'number'
  | 'text'
  | 'path'
  | 'name'
  | 'choice'
  | 'flag'
  | 'function'
  | 'signal'
  | 'special';

/** What an option acts on. */
export type ActsOn =
  | 'text'
  | 'picture'
  | 'steps'
  | 'guidance'
  | 'noise'
  | 'reference'
  | 'face'
  | 'control'
  | 'weights'
  | 'input pictures'
  | 'output file'
  | 'device'
  | 'run'
  | 'load';

/** Who decides where a caller does not, when that is no fixed value. */
export interface Otherwise {
  /** The fixed value, where nobody decides otherwise. */
  readonly value?: number | string | boolean;
  readonly otherwise: string;
}

/** One option, described once: checks, documentation, command line, hints and the run record follow from it. */
export interface Row {
  readonly type: ValueType;
  /** Least and greatest number; of a text its characters. */
  readonly range?: readonly [least: number, most: number];
  /** The number is a multiple of one of these. */
  readonly multiples?: readonly number[];
  /** Names of a choice; of a number words that may stand in its place. */
  readonly names?: readonly string[];
  /** Of a special: what it must be, as an error says it. */
  readonly expects?: string;
  /** Of a number: what it counts or measures. */
  readonly unit?: string;
  /** What holds when it is left out; null: nothing. */
  readonly default: number | string | boolean | Otherwise | null;
  /** It cannot be left out. */
  readonly required?: true;
  /** Its flag on the command line, or why it has none. */
  readonly flag: `--${string}` | { readonly none: string };
  readonly acts: ActsOn;
  /** One sentence, without a full stop. */
  readonly says: string;
  /** The sentence for the command line, where its flag says something else. */
  readonly help?: string;
  /** The run record has a field of the same name. */
  readonly record?: true;
}

export type Rows = Readonly<Record<string, Row>>;

/** The options of one object that a caller gives. */
export interface Group<R extends Rows = Rows> {
  /** What a caller hands it to. */
  readonly call: string;
  /** The types that document it, and the file that has them; a call with a literal type has none. */
  readonly documented?: { readonly names: readonly string[]; readonly file: string };
  /** Rooms that read it. */
  readonly rooms: readonly string[];
  readonly rows: R;
  /** Names that later versions will take. */
  readonly later: readonly string[];
}

/** A group whose rows keep their literal types: the types of values follow from them. */
export const group = <const R extends Rows>(it: Group<R>): Group<R> => it;

/** The values that the run record keeps, by the names of their options. */
export const recordedOf = ({ rows }: Group, values: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(rows)
      .filter(([name, row]) => row.record && values[name] !== undefined)
      .map(([name]) => [name, values[name]]),
  );

/** Fixed value of an option that is left out. */
export type DefaultOf<R extends Row> = R['default'] extends { readonly value: infer V }
  ? V
  : Exclude<R['default'], Otherwise | null>;

/** The default that no model and no attached part names. */
export const defaultOf = <R extends Rows, K extends keyof R>({ rows }: Group<R>, name: K): DefaultOf<R[K]> => {
  const { default: fixed } = rows[name]!;
  return (typeof fixed === 'object' && fixed !== null ? fixed.value : fixed) as DefaultOf<R[K]>;
};

/** The names of a group, for reading an object of them. */
export const namesOf = ({
  rows,
  later,
}: Group): { readonly known: readonly string[]; readonly later: readonly string[] } => ({
  known: Object.keys(rows),
  later,
});
