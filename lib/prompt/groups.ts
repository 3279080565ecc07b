import type { Fragment } from './weighting.js';

/** What a group's weight is, by that of what is around it. */
export type Weigh = (around: number) => number;

interface Group {
  readonly around: number;
  readonly place: number;
  weigh: Weigh | undefined;
}

interface Piece {
  readonly text: string;
  /** 0: no group. */
  readonly group: number;
}

/**
 * Groups in parentheses while a prompt is read from left to right. One whose end never comes is no group: its parenthesis
 * is text. Linear in the prompt: a weight is known once for a group, as a group comes after the one around it.
 */
export class Groups {
  readonly #groups: Group[] = [{ around: 0, place: -1, weigh: (around) => around }];
  readonly #open: number[] = [];
  readonly #pieces: Piece[] = [];
  readonly #odd: number[] = [];

  get depth(): number {
    return this.#open.length;
  }

  /** How many pieces there are: `cut` takes those away that came later. */
  get count(): number {
    return this.#pieces.length;
  }

  cut(count: number): void {
    this.#pieces.length = count;
  }

  add(text: string): void {
    this.#pieces.push({ text, group: this.#open.at(-1) ?? 0 });
  }

  enter(place: number): void {
    this.#groups.push({ around: this.#open.at(-1) ?? 0, place, weigh: undefined });
    this.#open.push(this.#groups.length - 1);
    this.#pieces.push({ text: '', group: this.#groups.length - 1 }); // the parenthesis, should it turn out to be text
  }

  /** Ends the innermost group; where none is open the parenthesis is text. */
  leave(place: number, weigh: Weigh): void {
    const group = this.#open.pop();
    if (group !== undefined) {
      this.#groups[group]!.weigh = weigh;
      return;
    }
    this.#odd.push(place);
    this.add(')');
  }

  /** Where parentheses without a partner stand. */
  odd(): readonly number[] {
    return [...this.#odd, ...this.#open.map((group) => this.#groups[group]!.place)];
  }

  /** Pieces of one group behind one another are one fragment. */
  fragments(): Fragment[] {
    const weights: number[] = [1];
    const owners: number[] = [0];
    for (let i = 1; i < this.#groups.length; ++i) {
      const { around, weigh } = this.#groups[i]!;
      weights.push(weigh ? weigh(weights[around]!) : weights[around]!);
      owners.push(weigh ? i : owners[around]!);
    }
    const result: { text: string; weight: number }[] = [];
    const texts: string[] = [];
    let owner = 0;
    const end = (): void => {
      const text = texts.splice(0).join('');
      if (text !== '') result.push({ text, weight: weights[owner]! });
    };
    let began = -1;
    for (const { text, group } of this.#pieces) {
      if (owners[group]! !== owner) end();
      owner = owners[group]!;
      const isOpening = text === '' && group > began;
      if (isOpening) began = group;
      texts.push(isOpening && !this.#groups[group]!.weigh ? '(' : text);
    }
    end();
    return result.length > 0 ? result : [{ text: '', weight: 1 }];
  }
}
