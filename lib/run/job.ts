import { AbortError, abortError, type IpAdapterError, toError } from '../errors.js';
import type { GeneratedImage } from '../images/generated-image.js';
import type { Picture } from '../images/picture.js';
import type { Warning } from '../warnings.js';

/** Milliseconds that the parts of a run took. */
export interface Timings {
  /** Waiting for earlier runs. */
  readonly queueMs: number;
  /** Prompts and pictures. */
  readonly encodeMs: number;
  readonly sampleMs: number;
  readonly decodeMs: number;
  /** From the call to the end. */
  readonly totalMs: number;
}

/** What a run gives. */
export interface GenerateResult {
  readonly images: readonly GeneratedImage[];
  readonly seeds: readonly (number | bigint)[];
  readonly timings: Timings;
  readonly warnings: readonly Warning[];
  /** Licences of the weights that took part, as far as they are known. */
  readonly licenses: readonly string[];
}

/**
 * What happens in a run, in order. `step` counts from 1, over all passes of a picture; `image`, `index` and `position` from 0. The
 * picture of a `preview` has no metadata.
 */
export type JobEvent =
  | { readonly type: 'queued'; readonly position: number }
  | { readonly type: 'start'; readonly seeds: readonly (number | bigint)[] }
  | { readonly type: 'encode'; readonly part: string }
  | {
      readonly type: 'step';
      readonly step: number;
      readonly steps: number;
      readonly etaMs: number;
      readonly image: number;
      readonly pass: 'base' | 'hires';
    }
  | {
      readonly type: 'preview';
      readonly step: number;
      readonly image: Picture;
      readonly index: number;
      readonly pass: 'base' | 'hires';
    }
  | { readonly type: 'decode'; readonly image: number }
  | { readonly type: 'image'; readonly index: number; readonly image: GeneratedImage }
  | { readonly type: 'warning'; readonly code: string; readonly message: string }
  | { readonly type: 'done'; readonly timings: Timings };

type End = { readonly error?: IpAdapterError };

/** One `for await` over a job: events that wait to be taken, of which at most one is a step and one a preview. */
class Reader implements AsyncIterator<JobEvent> {
  readonly #events: JobEvent[] = [];
  #end: End | undefined;
  #wake: (() => void) | undefined;
  readonly #left: (reader: Reader) => void;

  constructor(left: (reader: Reader) => void) {
    this.#left = left;
  }

  push(event: JobEvent): void {
    if (event.type === 'step' || event.type === 'preview') {
      const pending = this.#events.findIndex((waiting) => waiting.type === event.type);
      if (pending >= 0) this.#events.splice(pending, 1);
    }
    this.#events.push(event);
    this.#wake?.();
  }

  end(end: End): void {
    this.#end = end;
    this.#wake?.();
  }

  async next(): Promise<IteratorResult<JobEvent, undefined>> {
    for (;;) {
      const event = this.#events.shift();
      if (event) return { done: false, value: event };
      if (this.#end) {
        const { error } = this.#end;
        this.#end = {}; // an error is thrown once
        if (error) throw error;
        return { done: true, value: undefined };
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async return(): Promise<IteratorResult<JobEvent, undefined>> {
    this.#left(this);
    return { done: true, value: undefined };
  }
}

/**
 * A run: wait for its result with `await`, or follow its events with `for await`; leaving the loop cancels it.
 *
 * @example
 * const job = pipe.generate({ prompt: 'portrait of a woman' })
 * for await (const event of job) if (event.type === 'step') console.log(event.step, event.steps)
 * const { images } = await job
 */
export class Job implements PromiseLike<GenerateResult>, AsyncIterable<JobEvent> {
  readonly #control: JobControl;

  /** Made by `generate`; not called by users. */
  constructor(control: JobControl) {
    this.#control = control;
  }

  // biome-ignore lint/suspicious/noThenProperty: a job is awaitable
  then<A = GenerateResult, B = never>(
    done?: ((result: GenerateResult) => A | PromiseLike<A>) | null,
    failed?: ((error: IpAdapterError) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#control.promise.then(done, failed);
  }

  catch<B = never>(failed?: ((error: IpAdapterError) => B | PromiseLike<B>) | null): Promise<GenerateResult | B> {
    return this.#control.promise.catch(failed);
  }

  finally(ended?: (() => void) | null): Promise<GenerateResult> {
    return this.#control.promise.finally(ended);
  }

  /** Cancels the run, as aborting its signal does; after the end it changes nothing. */
  cancel(reason?: unknown): void {
    this.#control.cancel(reason ?? new DOMException('The job was cancelled', 'AbortError'));
  }

  [Symbol.asyncIterator](): AsyncIterator<JobEvent> {
    return this.#control.reader();
  }
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';

/** The pipeline's side of a job: sends events, ends it once. */
export class JobControl {
  readonly job: Job;
  readonly promise: Promise<GenerateResult>;
  #resolve!: (result: GenerateResult) => void;
  #reject!: (error: IpAdapterError) => void;
  #end: End | undefined;
  readonly #readers = new Set<Reader>();
  readonly #onEnd: (() => void)[] = [];
  #listener: ((event: JobEvent) => unknown) | undefined;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.job = new Job(this);
  }

  get ended(): boolean {
    return this.#end !== undefined;
  }

  /** Calls `listener` with every event; its errors fail the job. */
  listen(listener: ((event: JobEvent) => unknown) | undefined): void {
    this.#listener = listener;
  }

  /** Calls `action` when the job ends, in whatever way; at once when it has. */
  onEnd(action: () => void): void {
    if (this.ended) action();
    else this.#onEnd.push(action);
  }

  emit(event: JobEvent): void {
    if (this.ended) return;
    for (const reader of this.#readers) reader.push(event);
    try {
      const answer = this.#listener?.(event);
      if (isThenable(answer)) answer.then(undefined, (cause: unknown) => this.#listenerFailed(cause));
    } catch (cause) {
      this.#listenerFailed(cause);
    }
  }

  succeed(result: GenerateResult): void {
    if (this.#finish({})) this.#resolve(result);
  }

  fail(error: unknown): void {
    const typed = toError(error);
    if (this.#finish({ error: typed })) this.#reject(typed);
  }

  cancel(reason: unknown): void {
    if (!this.ended) this.fail(abortError(reason));
  }

  reader(): Reader {
    this.promise.catch(() => undefined); // the reader throws it
    const reader = new Reader((left) => {
      this.#readers.delete(left);
      this.cancel(new DOMException('The loop over the job was left', 'AbortError'));
    });
    if (this.#end) reader.end(this.#end);
    else this.#readers.add(reader);
    return reader;
  }

  #listenerFailed(cause: unknown): void {
    this.fail(
      new AbortError(
        'ABORTED',
        'onProgress threw an error, so the run was stopped',
        'See cause for the error, and mend the listener',
        { cause },
      ),
    );
  }

  #finish(end: End): boolean {
    if (this.#end) return false;
    this.#end = end;
    for (const reader of this.#readers) reader.end(end);
    this.#readers.clear();
    for (const action of this.#onEnd.splice(0)) action();
    return true;
  }
}
