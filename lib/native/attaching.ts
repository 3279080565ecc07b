import { abortError } from '../errors.js';
import { cancellable, type EngineHost } from './engine.js';
import type { Stop } from './types.js';

/** What was loaded to be attached: `keep` puts it in its place, `drop` frees it. */
export interface Loaded<T> {
  readonly handle: T;
  readonly keep: () => void;
  readonly drop: () => void;
}

/** Loads that attach something to one owner; its end ends them, and what was loaded then is freed. */
export class Attaching {
  readonly #host: EngineHost;
  readonly #closing: AbortSignal;
  readonly #closed: () => Error;
  readonly #running = new Set<Promise<unknown>>();

  /** `closing` is raised when the owner ends, `closed` makes the error of what comes too late. */
  constructor(host: EngineHost, closing: AbortSignal, closed: () => Error) {
    this.#host = host;
    this.#closing = closing;
    this.#closed = closed;
  }

  /** Loads and keeps; the signal or the owner's end ends it early. */
  load<T>(signal: AbortSignal | undefined, load: (stop: Stop) => Promise<Loaded<T>>): Promise<T> {
    const closing = this.#closing;
    const either = signal ? AbortSignal.any([signal, closing]) : closing;
    const work = async (stop: Stop): Promise<T> => {
      const { handle, keep, drop } = await load(stop);
      try {
        if (either.aborted) throw this.#closed();
        keep();
      } catch (error) {
        drop();
        throw error;
      }
      return handle;
    };
    const loading = (stop: Stop): Promise<T> => {
      const running = work(stop);
      this.#running.add(running);
      return running.finally(() => this.#running.delete(running));
    };
    const ended = (reason: unknown): Error => (closing.aborted ? this.#closed() : abortError(reason));
    return cancellable(this.#host, either, ended, loading);
  }

  /** When none is running any more, however each ended. */
  async ended(): Promise<void> {
    await Promise.allSettled(this.#running);
  }
}
