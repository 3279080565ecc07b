import { OptionError } from '../errors.js';

/** A piece of the prompt and its weight. A chunk break is the text `BREAK` with weight −1, times the brackets around it. */
export interface Fragment {
  readonly text: string;
  readonly weight: number;
}

export const BREAK: Fragment = { text: 'BREAK', weight: -1 };

const ESCAPED = '()[]\\';
const WEIGHT_END = /:\s*([+-]?[.\d]+)\s*\)/y;
const PLAIN_RUN = /[^\\()[\]:]+/y;
const BREAK_WORD = /(?<![\p{L}\p{N}_])BREAK(?![\p{L}\p{N}_])/u;

/** The brackets of one kind, 0 standing for "none": which are open, and by how much each multiplies, known when it closes. */
class Brackets {
  readonly #around: number[] = [0];
  readonly #factor: number[] = [1];
  /** The innermost open bracket. */
  open = 0;

  constructor(readonly unclosed: number) {}

  enter(): void {
    this.#around.push(this.open);
    this.#factor.push(this.unclosed);
    this.open = this.#around.length - 1;
  }

  /** Closes the innermost bracket; false when none is open. */
  leave(factor: number): boolean {
    if (this.open === 0) return false;
    this.#factor[this.open] = factor;
    this.open = this.#around[this.open]!;
    return true;
  }

  /** For each bracket the product of itself and all around it: one pass, as a bracket comes after the one around it. */
  products(): number[] {
    const products = [1];
    for (let i = 1; i < this.#factor.length; ++i) products.push(this.#factor[i]! * products[this.#around[i]!]!);
    return products;
  }
}

interface Piece extends Fragment {
  readonly round: number;
  readonly square: number;
}

const scanned = (prompt: string, round: Brackets, square: Brackets): Piece[] => {
  const pieces: Piece[] = [];
  const add = (text: string, weight: number): void => {
    pieces.push({ text, weight, round: round.open, square: square.open });
  };
  const addText = (text: string): void => {
    const parts = text.includes(BREAK.text) ? text.split(BREAK_WORD) : [text];
    for (let i = 0; i < parts.length; ++i) {
      if (i > 0) add(BREAK.text, BREAK.weight);
      const head = i > 0 ? parts[i]!.trimStart() : parts[i]!;
      add(i < parts.length - 1 ? head.trimEnd() : head, 1);
    }
  };
  /** Opens or closes what stands here; its length, 0 when it is text. */
  const bracketAt = (c: string, weightEnd: RegExpExecArray | null): number => {
    if (weightEnd) return round.leave(Number(weightEnd[1])) ? weightEnd[0].length : 0;
    if (c === '(') round.enter();
    else if (c === '[') square.enter();
    else if (c === ')') return round.leave(round.unclosed) ? 1 : 0;
    else if (c === ']') return square.leave(square.unclosed) ? 1 : 0;
    else return 0;
    return 1;
  };

  for (let at = 0; at < prompt.length; ) {
    const c = prompt[at]!;
    if (c === '\\') {
      const next = prompt[at + 1] ?? '';
      const escaped = next !== '' && ESCAPED.includes(next);
      add(escaped ? next : '', 1); // a backslash before anything else is dropped
      at += escaped ? 2 : 1;
      continue;
    }
    WEIGHT_END.lastIndex = at;
    const found = c === ':' ? WEIGHT_END.exec(prompt) : null;
    const weightEnd = found && !Number.isNaN(Number(found[1])) ? found : null;
    const length = bracketAt(c, weightEnd);
    at += length;
    if (length > 0) continue;
    // trap: `:1.3)` without an open bracket is one piece of text, its bracket included
    PLAIN_RUN.lastIndex = at;
    const run = weightEnd?.[0] ?? (')]:'.includes(c) ? c : PLAIN_RUN.exec(prompt)![0]);
    addText(run);
    at += run.length;
  }
  return pieces;
};

/**
 * Emphasis in the syntax of the AUTOMATIC1111 web UI: `(more)` ×1.1, `[less]` ÷1.1, `(as told:1.3)` ×1.3, nested ones
 * multiply, `\(` is a literal bracket, the word BREAK ends a chunk. Time is linear in the text: weights are multiplied once,
 * along the brackets, not over the text of each bracket.
 *
 * @example
 * weighted('a (red:1.2) hat') // a ×1, red ×1.2, hat ×1
 */
export const weighted = (prompt: string): Fragment[] => {
  const [round, square] = [new Brackets(1.1), new Brackets(1 / 1.1)];
  const pieces = scanned(prompt, round, square);
  const [rounds, squares] = [round.products(), square.products()];
  const result: { text: string; weight: number }[] = [];
  for (const piece of pieces) {
    const weight = piece.weight * rounds[piece.round]! * squares[piece.square]!;
    const last = result.at(-1);
    if (last?.weight === weight) last.text += piece.text;
    else result.push({ text: piece.text, weight });
  }
  if (result.some((fragment) => fragment.text !== '' && !Number.isFinite(fragment.weight))) {
    throw new OptionError(
      'OPTION_RANGE',
      'A weight in the prompt is too large for a number',
      'Use weights such as (word:1.3) and fewer brackets',
      { details: { option: 'prompt' } },
    );
  }
  return result.length > 0 ? result : [{ text: '', weight: 1 }];
};
