/** A share in something loaded; `release` gives it back, once. */
export interface Lease<T> {
  readonly value: T;
  readonly release: () => void;
}

interface Entry<T> {
  readonly loading: Promise<T>;
  users: number;
}

/** Networks that several adapters use: loaded once, freed when the last user gives its share back. */
export class Shared<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #free: (value: T) => void;

  constructor(free: (value: T) => void) {
    this.#free = free;
  }

  async take(key: string, load: () => Promise<T>): Promise<Lease<T>> {
    const present = this.#entries.get(key);
    const entry = present ?? { loading: load(), users: 0 };
    entry.users += 1;
    this.#entries.set(key, entry);
    try {
      const value = await entry.loading;
      let held = true;
      const release = (): void => {
        if (!held) return;
        held = false;
        entry.users -= 1;
        if (entry.users > 0) return;
        this.#entries.delete(key);
        this.#free(value);
      };
      return { value, release };
    } catch (error) {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
      // another user's load may have been cancelled by that user's signal: this one loads for itself
      if (present) return this.take(key, load);
      throw error;
    }
  }
}
