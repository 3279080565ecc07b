const AND = /(?<![\p{L}\p{N}_])AND(?![\p{L}\p{N}_])/u;
const WEIGHT = /:\s*([-+]?(?:\d+\.?|\d*\.\d+))$/;

/** One of several texts that a run is steered to at once. */
export interface Composed {
  readonly text: string;
  readonly weight: number;
  /** Whether the weight was written. */
  readonly weighted: boolean;
}

/**
 * Cuts a prompt at the word AND; a number after a last `:` is a part's weight. source: A1111 web UI, get_multicond_prompt_list
 *
 * @example
 * composed('a cat AND a dog :0.8') // 'a cat ' × 1, ' a dog' × 0.8
 */
export const composed = (prompt: string): Composed[] =>
  prompt.split(AND).map((part) => {
    const text = part.trimEnd();
    const found = WEIGHT.exec(text.slice(-40)); // longer numbers are none: the time stays linear
    if (!found) return { text: part, weight: 1, weighted: false };
    return { text: text.slice(0, text.length - found[0].length).trimEnd(), weight: Number(found[1]), weighted: true };
  });

export const hasAnd = (prompt: string): boolean => AND.test(prompt);
