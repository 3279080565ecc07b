import { readOptions } from '../options/read.js';
import { func } from '../options/schemas.js';
import { PULL } from '../options/table/pull.js';

/** A file of a plan. */
export interface PlannedFile {
  readonly path: string;
  /** Bytes. */
  readonly bytes: number;
  /** Bytes that are still to come. */
  readonly missing: number;
}

/** What a fetch will do. */
export interface PullPlan {
  /** As it was given. */
  readonly name: string;
  readonly title: string;
  readonly repository: string;
  readonly licence: string;
  readonly files: readonly PlannedFile[];
  /** Bytes of all files. */
  readonly bytes: number;
  /** Bytes that are still to come. */
  readonly missing: number;
  /** The cache's folder. */
  readonly cache: string;
}

/** Progress of a fetch: bytes of all files together. */
export interface PullEvent {
  readonly type: 'pull';
  readonly file: string;
  readonly bytes: number;
  readonly totalBytes: number;
}

/**
 * How a model is fetched.
 *
 * @example
 * const options: PullOptions = { confirm: ({ missing, licence }) => ask(`${missing} bytes under ${licence}?`) }
 */
export interface PullOptions {
  /** Is told size and licence before anything is fetched; only `true` goes on. */
  readonly confirm: (plan: PullPlan) => boolean | Promise<boolean>;
  /** Called with the bytes that have come so far. */
  readonly onProgress?: (event: PullEvent) => void;
  /** Cancels the fetch; what has come is kept for the next one. */
  readonly signal?: AbortSignal;
}

const own = {
  confirm: func<(plan: PullPlan) => boolean | Promise<boolean>>(),
  onProgress: func<(event: PullEvent) => void>(),
};

export const pullSettings = (options: unknown): PullOptions => {
  const { confirm, onProgress, signal } = readOptions(PULL, options, own);
  return { confirm, ...(onProgress ? { onProgress } : {}), ...(signal ? { signal } : {}) };
};
