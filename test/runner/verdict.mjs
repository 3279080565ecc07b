// What the comparisons of one case came to: the one nearest to its limit, or beyond it.

/** @param {readonly number[]} values */
export const largest = (values) => values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);

/** @param {readonly number[]} values */
export const rms = (values) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);

/**
 * Largest |a − b| and the place of it; infinite where a number is none, or the counts differ.
 * @param {readonly number[]} a @param {readonly number[]} b
 */
export const worst = (a, b) => {
  let found = { difference: a.length === b.length ? 0 : Number.POSITIVE_INFINITY, at: -1 };
  for (let i = 0; i < Math.min(a.length, b.length); ++i) {
    const difference = Math.abs((a[i] ?? Number.NaN) - (b[i] ?? Number.NaN));
    if (!(difference <= found.difference))
      found = { difference: Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference, at: i };
  }
  return found;
};

export class Verdict {
  /** @type {string[]} */
  #faults = [];
  #compared = 0;
  #ratio = -1;
  worst = 0;
  limit = 0;
  #at = '';

  /**
   * max|got − want| ≤ limit. NaN never passes, nor does another count.
   * @param {string} what @param {readonly number[]} got @param {readonly number[]} want @param {number} limit
   */
  close(what, got, want, limit) {
    this.#compared += 1;
    if (got.length !== want.length) return this.fault(`${what} has ${got.length} numbers, expected ${want.length}`);
    const { difference } = worst(got, want);
    const share = difference === 0 ? 0 : difference / limit; // a limit of 0 wants equality
    const ratio = Number.isNaN(share) ? Number.POSITIVE_INFINITY : share; // a reference with a NaN has no limit
    if (ratio <= this.#ratio) return;
    this.#ratio = ratio;
    this.worst = difference;
    this.limit = limit;
    this.#at = what;
  }

  /** @param {boolean} holds @param {string} otherwise */
  require(holds, otherwise) {
    this.#compared += 1;
    if (!holds) this.fault(otherwise);
  }

  /** @param {string} message */
  fault(message) {
    this.#faults.push(message);
  }

  /** A case that compares nothing has not passed. */
  get passed() {
    return this.#faults.length === 0 && this.#compared > 0 && this.#ratio <= 1;
  }

  get message() {
    const [first, ...more] = this.#faults;
    if (first !== undefined) return more.length > 0 ? `${first} (and ${more.length} more)` : first;
    return this.#compared === 0 ? 'nothing was compared' : this.#at;
  }
}
