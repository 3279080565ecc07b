import { z } from 'zod';
import { type CapturedImage, captureImage, type ImageSource } from '../images/source.js';
import { expectedFor, optionPath } from '../options/check.js';
import { readOptions } from '../options/read.js';
import { defaultOf } from '../options/row.js';
import { CONTROL, type CONTROL_MAPS, CONTROL_NET } from '../options/table/control.js';
import type { PASSES } from '../options/table/hires.js';
import type { ControlNet } from './control-net.js';
import type { ControlMode } from './strengths.js';

/**
 * How a ControlNet or T2I-Adapter is attached.
 *
 * @example
 * await pipe.addControlNet('control_v11p_sd15_canny.safetensors', { name: 'edges' })
 */
export interface AddControlNetOptions {
  /** Default: the file's name without its ending. */
  readonly name?: string;
  readonly signal?: AbortSignal;
}

export interface ControlNetSettings {
  readonly name: string | undefined;
  readonly signal: AbortSignal | undefined;
}

export const controlNetSettings = (options: unknown = {}): ControlNetSettings => {
  const { name, signal } = readOptions(CONTROL_NET, options, {});
  return { name, signal };
};

/**
 * A picture that steers the composition of a run through a ControlNet or T2I-Adapter.
 *
 * @example
 * await pipe.generate({ prompt: 'a harbour', controls: [{ controlNet: 'edges', image: 'photo.png', preprocess: 'canny' }] })
 */
export interface Control {
  /** Handle or name of an attached ControlNet or T2I-Adapter. Default: the only one attached. */
  readonly controlNet?: ControlNet | string;
  /** A map as the network's authors say, stretched over the picture. */
  readonly image: ImageSource;
  /** `canny`: edges of the image, thresholds 100 and 200. Default: the image is a finished map. */
  readonly preprocess?: (typeof CONTROL_MAPS)[number];
  /** 0…2. Default 1. */
  readonly scale?: number;
  /** Where in the run it begins to act, 0…1. Default 0. */
  readonly start?: number;
  /** Where it ceases to act, 0…1. Default 1. */
  readonly end?: number;
  /** Which passes of a run with `hires` it acts in. Default `both`. */
  readonly passes?: (typeof PASSES)[number];
  /**
   * `prompt` weakens it towards fine detail, `control` does too and leaves the unconditional half alone, `guess` (a
   * ControlNet's) does without a prompt. Default `balanced`.
   */
  readonly mode?: ControlMode;
}

export interface ControlSettings {
  readonly option: string; // "controls[0]", for messages
  readonly controlNet: unknown; // a handle or a name
  readonly image: CapturedImage;
  readonly preprocess: (typeof CONTROL_MAPS)[number] | undefined;
  readonly scale: number;
  readonly start: number;
  readonly end: number;
  readonly passes: Control['passes'];
  readonly mode: ControlMode;
}

/** Checks one entry of a run's list; its picture is copied before this returns. */
export const controlOf = (value: unknown, index: number): ControlSettings => {
  const place = ['controls', index];
  const option = optionPath(place);
  const own = { controlNet: z.unknown(), image: z.unknown() };
  const { controlNet, image, preprocess, scale, start, end, passes, mode } = readOptions(CONTROL, value, own, place);
  const [first, last] = [start ?? defaultOf(CONTROL, 'start'), end ?? defaultOf(CONTROL, 'end')];
  if (first > last) throw expectedFor('OPTION_RANGE', `${option}.start`, `a number from 0 to end, ${last}`, start);
  return {
    option,
    controlNet,
    image: captureImage(image, `${option}.image`),
    preprocess,
    scale: scale ?? defaultOf(CONTROL, 'scale'),
    start: first,
    end: last,
    passes,
    mode: mode ?? defaultOf(CONTROL, 'mode'),
  };
};
