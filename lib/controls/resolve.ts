import { decodeImage } from '../images/decode.js';
import { hashOf } from '../images/hash.js';
import type { ImageLimits } from '../images/limits.js';
import type { ControlInput } from '../native/control-types.js';
import type { NetworkHandle } from '../native/types.js';
import type { Warn } from '../warnings.js';
import { type ControlNet, controlNetwork } from './control-net.js';
import type { ControlSettings } from './options.js';
import { controlStrengths } from './strengths.js';

/** What resolving a control needs of a run. */
export interface ControlRunContext {
  readonly limits: ImageLimits;
  /** Of the picture that is drawn, in px. */
  readonly picture: { readonly width: number; readonly height: number };
  readonly warn: Warn;
}

/** A control as the engine takes it, when it acts aside, and the hash of its picture. */
export interface ResolvedControl {
  readonly control: Omit<ControlInput<NetworkHandle>, 'window'>;
  readonly hash: string;
}

const ASPECT = 0.02; // of the picture's: a pixel or two of rounding

/** Reads the picture of a control; one of another shape is stretched, which is warned of. */
export const resolveControl = async (
  { limits, picture, warn }: ControlRunContext,
  { option, image, preprocess, scale, mode }: ControlSettings,
  net: ControlNet,
): Promise<ResolvedControl> => {
  const pixels = await decodeImage(image, limits);
  const { width, height } = pixels;
  if (Math.abs((width * picture.height) / (height * picture.width) - 1) > ASPECT) {
    const sizes = `${width} × ${height} and the picture ${picture.width} × ${picture.height}`;
    warn('OPTION_CONFLICT', `${option}.image is ${sizes}: it is stretched over it`);
  }
  const network = controlNetwork(net);
  return {
    control: {
      network,
      image: pixels,
      preprocess,
      ...controlStrengths(network.info, { scale, mode }),
    },
    hash: hashOf(pixels),
  };
};
