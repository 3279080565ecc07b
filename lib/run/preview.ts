import { readOptions } from '../options/read.js';
import { defaultOf } from '../options/row.js';
import { PREVIEW } from '../options/table/hires.js';

/**
 * Pictures of what is drawn so far, as events of the run: the noise that is left is taken away at once. The pictures of the
 * result are the same with and without. Decoding takes as long as at the end, unless `previewVae` of `Pipeline.load` is tiny.
 *
 * @example
 * const job = pipe.generate({ prompt, preview: { every: 5 } })
 * for await (const event of job) if (event.type === 'preview') show(await event.image.toBuffer('jpeg'))
 */
export interface PreviewOptions {
  /** After how many steps the event comes, 1…1,000, the last step aside. Default 5. */
  readonly every?: number;
}

export type PreviewSettings = Required<PreviewOptions>;

/** Checks the option `preview`. */
export const previewOf = (value: unknown): PreviewSettings | undefined =>
  value === undefined
    ? undefined
    : { every: readOptions(PREVIEW, value, {}, ['preview']).every ?? defaultOf(PREVIEW, 'every') };
