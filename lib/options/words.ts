import type { Row } from './row.js';

const number = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 10 });

/** What an option takes, as an error says it: "a whole number from 1 to 1000". */
export const expectation = (row: Row): string => {
  const [least, most] = row.range ?? [0, 0];
  const list = row.names?.join(', ');
  switch (row.type) {
    case 'whole':
    case 'number': {
      const kind = row.multiples
        ? `a multiple of ${row.multiples.join(' or ')}`
        : row.type === 'whole'
          ? 'a whole number'
          : 'a number';
      return `${list ? `${list} or ` : ''}${kind} from ${least} to ${most}`;
    }
    case 'text':
      return `text of at most ${most} characters`;
    case 'name':
      return `a name of ${least} to ${most} characters`;
    case 'path':
      return 'a path';
    case 'choice':
      return `one of ${list}`;
    case 'flag':
      return 'true or false';
    case 'signal':
      return 'an AbortSignal';
    case 'function':
      return 'a function';
    case 'special':
      return row.expects ?? 'a value';
  }
};

/** Least and greatest as documentation writes them: "−2…2". */
export const rangeText = ({ range }: Row): string | undefined =>
  range && `${number(range[0])}…${number(range[1])}`.replaceAll('-', '−');

/** Units that a number needs not. */
const PLAIN = new Set(['factor', 'share', 'score']);

/** What an option takes, as tables and help say it: "1…1,000 steps". */
export const valueText = (row: Row): string => {
  if (row.type === 'special' || !row.range) return expectation(row);
  const multiples = row.multiples ? `, a multiple of ${row.multiples.join(' or ')}` : '';
  const words = row.names ? `${row.names.join(', ')} or ` : '';
  const unit = PLAIN.has(row.unit ?? '') ? '' : ` ${row.unit ?? 'characters'}`;
  return `${words}${rangeText(row)}${unit}${multiples}`;
};

/** What holds when an option is left out, for people; undefined where nothing does. */
export const defaultText = ({ default: fixed, required }: Row): string | undefined => {
  if (required) return 'required';
  if (fixed === null) return undefined;
  if (typeof fixed !== 'object') return typeof fixed === 'number' ? number(fixed) : String(fixed);
  const { value, otherwise } = fixed;
  return value === undefined ? otherwise : `${typeof value === 'number' ? number(value) : value}, or ${otherwise}`;
};

/** How to mend a value that an option does not take. */
export const hintFor = (name: string, row: Row): string => {
  if (row.required) return `Change ${name}: nothing can stand in for it`;
  const otherwise = defaultText(row);
  return otherwise === undefined
    ? `Change ${name}, or leave it out`
    : `Change ${name}, or leave it out for ${otherwise}`;
};
