import type { Metadata } from '../images/metadata.js';
import { type ForeignSettings, fromParameters } from './a1111.js';
import { fromGraph } from './comfyui.js';

/**
 * What a picture of another tool says of how it was made, as options of `generate`: the text of the AUTOMATIC1111 web UI, or the
 * graph of ComfyUI. What it names and is not taken is listed. Undefined where it says nothing that is understood.
 *
 * @example
 * const { options, notTaken } = foreignSettings(await readMetadata('theirs.png'))!
 * await pipe.generate({ prompt: '', ...options })
 */
export const foreignSettings = ({ parameters, texts }: Metadata): ForeignSettings | undefined => {
  const graph = texts.prompt === undefined ? undefined : fromGraph(texts.prompt);
  return graph ?? (parameters === undefined ? undefined : fromParameters(parameters));
};
