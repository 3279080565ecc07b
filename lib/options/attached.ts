import { nearest, OptionError, quoted, StateError } from '../errors.js';

/** What an option may name: handles of one kind, and those that are attached. */
export interface Choice<T> {
  /** In errors: "adapter". */
  readonly what: string;
  /** The call that attaches one. */
  readonly call: string;
  readonly isHandle: (value: unknown) => value is T;
  readonly attached: ReadonlyMap<string, T>;
}

/** The error of using a handle after `dispose`. */
export const disposedHandle = (what: string, name: string): StateError =>
  new StateError('CLOSED', `The ${what} "${name}" was disposed`, `Attach it again`, { details: { name } });

/** Refuses a name that another of the same kind has. */
export const freeName = (what: string, name: string, taken: ReadonlyMap<string, unknown>): void => {
  if (!taken.has(name)) return;
  throw new OptionError(
    'OPTION_CONFLICT',
    `The name ${quoted(name)} is taken by another ${what}`,
    'Give another name',
    {
      details: { option: 'name', found: name },
    },
  );
};

/**
 * The one that an option means: by handle or name, or the only one attached where nothing is given. `owner` is what has
 * the option, such as `references[0]`, `option` its name there.
 */
export const chosenOne = <T extends { readonly name: string; readonly disposed: boolean }>(
  value: unknown,
  owner: string,
  option: string,
  choice: Choice<T>,
): T => {
  if (value !== undefined) return attachedOne(value, `${owner}.${option}`, choice);
  const { what, call, attached } = choice;
  const all = [...attached.values()];
  if (all.length === 1) return all[0]!;
  const article = /^[aeio]/i.test(what) ? 'an' : 'a';
  if (all.length === 0)
    throw new StateError(
      'NOT_LOADED',
      `${owner} needs ${article} ${what} and none is attached`,
      `Attach one first: await pipe.${call}(file)`,
    );
  throw new OptionError(
    'OPTION_CONFLICT',
    `${owner} names no ${what} and ${all.length} are attached`,
    `Give ${option}, one of ${all.map((one) => quoted(one.name)).join(', ')}`,
    { details: { option: `${owner}.${option}` } },
  );
};

/** The attached one that an option gives by handle or name. */
export const attachedOne = <T extends { readonly name: string; readonly disposed: boolean }>(
  value: unknown,
  option: string,
  { what, call, isHandle, attached }: Choice<T>,
): T => {
  if (isHandle(value)) {
    if (value.disposed) throw disposedHandle(what, value.name);
    if (attached.get(value.name) === value) return value;
    throw new OptionError('OPTION_CONFLICT', `${option} is attached to another pipeline`, 'Attach it to this one', {
      details: { option },
    });
  }
  if (typeof value !== 'string') {
    throw new OptionError('OPTION_TYPE', `Expected a handle or a name for ${option}`, `Give what ${call} returned`, {
      details: { option },
    });
  }
  const named = attached.get(value);
  if (named) return named;
  const near = nearest(value, attached.keys());
  const names = [...attached.keys()].map(quoted).join(', ');
  throw new OptionError(
    'OPTION_UNKNOWN',
    `No ${what} named ${quoted(value)} is attached`,
    near ? `Did you mean ${quoted(near)}?` : `Attached are ${names || 'none'}`,
    { details: { option } },
  );
};
