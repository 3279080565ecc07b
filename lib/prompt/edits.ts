import { limitTexts } from './wording.js';

/** A prompt whose words change with the steps. */
export interface Edited {
  readonly texts: readonly string[];
  /** Which of the texts, by outer step. */
  readonly steps: readonly number[];
  /** Brackets that mean nothing, in sentences. */
  readonly remarks: readonly string[];
}

/** Text, or brackets: the pieces inside, all of them or those of the choice that a step takes. */
type Piece = string | { readonly options: readonly (readonly Piece[])[]; readonly at: (step: number) => number };

/** A bracket that is open: its pieces so far, cut at its own `:` or `|`. */
interface Open {
  readonly bracket: '' | '(' | '[';
  readonly place: number;
  readonly fields: Piece[][];
  readonly cut: (':' | '|')[];
}

// A run of text; where a backslash stands, the character after it belongs to it
const PLAIN = /(?:[^\\[\]():|]|\\.)+/uy;
const NUMBER = /^\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*$/;

const last = <T>(list: readonly T[]): T => list[list.length - 1]!;

/** Ends of the stretches in which the text does not change by editing, and the lengths of what alternates. */
interface Times {
  readonly ends: Set<number>;
  readonly cycles: Set<number>;
}

/** After which step a change comes. With a point it is a fraction of the steps. source: A1111 web UI 1.10, collect_steps */
const changeAfter = (text: string, steps: number): number => {
  const value = text.includes('.') ? Number(text) * steps : Number(text);
  return Math.min(steps, Math.trunc(value));
};

/** What a closed square bracket is; undefined when it is none of the known forms. */
const square = ({ fields, cut }: Open, steps: number, times: Times): Piece | undefined => {
  if (cut.length === 0) return { options: [['[', ...fields[0]!, ']']], at: () => 0 };
  if (cut.every((mark) => mark === '|')) {
    times.cycles.add(fields.length);
    return { options: fields, at: (step) => (step - 1) % fields.length };
  }
  const when = last(fields).every((piece) => typeof piece === 'string') ? NUMBER.exec(last(fields).join('')) : null;
  if (!when || cut.length > 2 || cut.includes('|')) return undefined;
  const after = changeAfter(when[1]!, steps);
  if (after >= 1) times.ends.add(after);
  const [from, to] = cut.length === 2 ? [fields[0]!, fields[1]!] : [[], fields[0]!];
  return { options: [from, to], at: (step) => (step <= after ? 0 : 1) };
};

const round = ({ fields, cut }: Open): Piece | undefined => {
  if (cut.length > 1 || cut.includes('|')) return undefined;
  return { options: [['(', ...fields[0]!, ...cut, ...(fields[1] ?? []), ')']], at: () => 0 };
};

/** Nesting is unbounded, so this goes without recursion. */
const rendered = (pieces: readonly Piece[], step: number): string => {
  const parts: string[] = [];
  const waiting: (readonly [pieces: readonly Piece[], next: number])[] = [[pieces, 0]];
  for (let top = waiting.pop(); top; top = waiting.pop()) {
    const [list, next] = top;
    const piece = list[next];
    if (piece === undefined) continue;
    waiting.push([list, next + 1]);
    if (typeof piece === 'string') parts.push(piece);
    else waiting.push([piece.options[piece.at(step)]!, 0]);
  }
  return parts.join('');
};

const shown = (prompt: string, place: number): string => {
  const text = [...prompt.slice(place, place + 40)].slice(0, 24).join('');
  return JSON.stringify(text);
};

const scanned = (
  prompt: string,
  steps: number,
): {
  readonly pieces: readonly Piece[];
  readonly times: Times;
  readonly odd: readonly number[];
  readonly off?: number;
} => {
  const times: Times = { ends: new Set([steps]), cycles: new Set() };
  const root: Open = { bracket: '', place: 0, fields: [[]], cut: [] };
  const odd: number[] = [];
  const partners: number[] = []; // round brackets that wait for theirs, whatever stands between
  let open: Open[] = [];
  let off: number | undefined;
  const add = (piece: Piece): void => {
    last(last([root, ...open.slice(-1)]).fields).push(piece);
  };
  /** None of the brackets that are open is one: what is in them stands at the top, where a single `|` turns all off. */
  const flush = (): void => {
    for (const { bracket, place, fields, cut } of open) {
      if (cut.includes('|')) off ??= place;
      if (bracket === '[') odd.push(place); // a round one may still be emphasis
      root.fields[0]!.push(bracket);
      for (const [i, field] of fields.entries()) {
        if (i > 0) root.fields[0]!.push(cut[i - 1]!);
        for (const piece of field) root.fields[0]!.push(piece);
      }
    }
    open = [];
  };
  const close = (c: ')' | ']', place: number): void => {
    const top = open.at(-1);
    const fits = top?.bracket === (c === ')' ? '(' : '[');
    const piece = fits ? (c === ')' ? round(top) : square(top, steps, times)) : undefined;
    if (piece !== undefined) {
      open.pop();
      add(piece);
      return;
    }
    if (open.every(({ bracket }) => bracket !== '[') && c === ']') odd.push(place);
    flush();
    root.fields[0]!.push(c);
  };
  for (let at = 0; at < prompt.length; ) {
    const c = prompt[at]!;
    if (c === '(') partners.push(at);
    else if (c === ')' && partners.pop() === undefined) odd.push(at);
    if (c === '(' || c === '[') open.push({ bracket: c, place: at, fields: [[]], cut: [] });
    else if (c === ')' || c === ']') close(c, at);
    else if (c === ':' || c === '|') {
      const top = open.at(-1);
      if (top) {
        top.cut.push(c);
        top.fields.push([]);
      } else {
        if (c === '|') off ??= at;
        root.fields[0]!.push(c);
      }
    } else {
      PLAIN.lastIndex = at;
      const run = PLAIN.exec(prompt)?.[0];
      if (run === undefined) off ??= at; // a backslash before nothing
      add(run ?? c);
      at += (run ?? c).length;
      continue;
    }
    at += 1;
  }
  flush();
  if (partners.length > 0) odd.push(partners[0]!);
  return { pieces: root.fields[0]!, times, odd, ...(off === undefined ? {} : { off }) };
};

/**
 * Prompt editing `[from:to:when]`, `[to:when]`, `[from::when]` and alternation `[a|b]` in the syntax of the AUTOMATIC1111
 * web UI. `when` is a step, or with a point a fraction of the steps; up to and including that step the first text stands.
 * Other brackets stay for the emphasis. As there, a `|` or a last backslash outside of such brackets leaves the whole
 * prompt as it is.
 *
 * @example
 * editedPrompt('a [b:3]', 10) // 'a ' in steps 1 to 3, then 'a b'
 */
export const editedPrompt = (prompt: string, steps: number): Edited => {
  const unchanged = { texts: [prompt], steps: new Array<number>(steps).fill(0) };
  const { pieces, times, odd, off } = scanned(prompt, steps);
  const isEdited = times.ends.size > 1 || times.cycles.size > 0 || pieces.some((piece) => typeof piece !== 'string');
  const place = odd.reduce((first, one) => Math.min(first, one), prompt.length);
  const remarks =
    odd.length > 0
      ? [`The bracket at ${shown(prompt, place)} has no partner or no known form, it is read as emphasis or text`]
      : [];
  if (off !== undefined) {
    const lost = prompt.includes('[')
      ? [
          `The ${prompt[off] === '\\' ? 'backslash' : '"|"'} at ${shown(prompt, off)} stands outside of [a|b]: no [ ] of the prompt is read as a change over the steps`,
        ]
      : [];
    return { ...unchanged, remarks: [...remarks, ...lost] };
  }
  if (!isEdited) return { ...unchanged, remarks };
  return { ...overSteps(pieces, steps, times), remarks };
};

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** The text of every step, made once for each stretch and place in the cycle. */
const overSteps = (pieces: readonly Piece[], steps: number, { ends, cycles }: Times): Omit<Edited, 'remarks'> => {
  const cycle = [...cycles].reduce((all, length) => Math.min(steps, (all / gcd(all, length)) * length), 1);
  const stretches = [...ends].sort((a, b) => a - b);
  const made = new Map<string, number>();
  const places = new Map<string, number>();
  const texts: string[] = [];
  const choices: number[] = [];
  let stretch = 0;
  for (let step = 1; step <= steps; ++step) {
    while (stretches[stretch]! < step) ++stretch;
    const key = `${stretch} ${(step - 1) % cycle}`;
    if (!made.has(key)) {
      const text = rendered(pieces, step);
      if (!places.has(text)) {
        places.set(text, texts.length);
        texts.push(text);
        limitTexts(texts.length);
      }
      made.set(key, places.get(text)!);
    }
    choices.push(made.get(key)!);
  }
  return { texts, steps: choices };
};
