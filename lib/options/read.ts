import { checked, optionPath, readOnce } from './check.js';
import { type Checked, type Own, schemaFor } from './kinds.js';
import { type Group, namesOf, type Rows } from './row.js';
import { hintFor } from './words.js';

/**
 * An object of options, read once and checked against its group. `own` has the schemas of special options, `place` the way
 * to the object in errors, `prepare` reads nested values once, `mend` may know a better hint than the table.
 */
export const readOptions = <R extends Rows, S extends Own<R>>(
  group: Group<R>,
  options: unknown,
  own: S,
  place: readonly PropertyKey[] = [],
  prepare: (raw: Record<string, unknown>) => void = () => undefined,
  mend: (option: string, found: unknown) => string | undefined = () => undefined,
): Checked<R, S> => {
  const where = optionPath(place);
  const raw = readOnce(options, where, namesOf(group));
  prepare(raw);
  return checked(schemaFor(group, own), raw, place, (option, found) => {
    const better = mend(option, found);
    if (better !== undefined) return better;
    const name = where === '' ? option : option.slice(where.length + 1);
    const row = Object.hasOwn(group.rows, name) ? group.rows[name] : undefined;
    if (!row || found === undefined) return undefined;
    return row.type === 'choice' && typeof found === 'string' ? undefined : hintFor(option, row); // a name has its nearest
  });
};
