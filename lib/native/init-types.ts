import type { CallOptions, Pixels, Tensor } from './values.js';

/** A picture in grey, one byte a pixel. */
export interface Grey {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** A picture's latents as the VAE gives them, scaled: [1, h, w, C] each. Without spread the mean itself is meant. */
export interface Posterior {
  readonly mean: Tensor;
  readonly spread?: Tensor;
}

/** signal · latents + noise · ε */
interface Mix {
  readonly signal: number;
  readonly noise: number;
}

/** What a run begins with. Numbers are drawn in the reference's order: image, initial noise, masked, then steps. */
export interface SampleInit {
  readonly image?: Posterior;
  /** Of the picture's latents, at the first row. */
  readonly first: Mix;
  /** [1, h, w, 1]: 1 is painted anew, 0 kept. */
  readonly mask?: Tensor;
  /** Where it is painted anew the run begins with normal numbers in the picture's place. */
  readonly fillWithNoise?: boolean;
  /** Of the kept latents after every row; absent: nothing is put back. */
  readonly after?: readonly Mix[];
  /** The picture without what is painted anew, for a UNet that reads it beside the latents. */
  readonly masked?: Posterior;
}

/** A part of a picture, in px. */
export interface Region {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** A picture brought to what is drawn. */
export interface PreparedInit {
  readonly picture: Pixels;
  /** The part of the original that it shows, where that is not the whole. */
  readonly region?: Region;
  /** With a mask: 1 for each pixel that is painted anew, and [1, h, w, 1] of the latents. */
  readonly hidden?: Uint8Array;
  readonly mask?: Tensor;
}

/** Calls about a picture that a run begins with. */
export interface InitEngine<Network> {
  /** A picture through the VAE; where `hidden` is not 0 a pixel is shown as middle grey. */
  encode(
    vae: Network,
    image: Pixels,
    options: CallOptions & { readonly scalingFactor: number; readonly hidden?: Uint8Array | undefined },
  ): Promise<Required<Posterior>>;
  /** Resized (Lanczos), or with `padding` (px) cropped around the mask and fitted; `blurred` fills what is painted anew. */
  prepareInit(
    image: Pixels,
    options: CallOptions & {
      readonly width: number;
      readonly height: number;
      /** Pixels per latent. */
      readonly factor: number;
      readonly mask?: Grey | undefined;
      readonly padding?: number | undefined;
      readonly blurred?: boolean;
    },
  ): Promise<PreparedInit>;
  /** What was painted, on the original: nothing changes where the mask is 0. `soft`: px over which it fades in. */
  finishInit(
    painted: Pixels,
    image: Pixels,
    options: CallOptions & {
      readonly mask?: Grey | undefined;
      readonly region?: Region | undefined;
      readonly soft: number;
      readonly colorMatch: boolean;
    },
  ): Promise<Pixels>;
  /** Latents of the same picture at another size (latents): bilinear, without antialias. */
  upscale(latents: Tensor, options: CallOptions & { readonly width: number; readonly height: number }): Promise<Tensor>;
  /** White inside, black outside, with a ramp around the ellipse; centre and half axes in px. */
  ellipse(
    options: CallOptions & {
      readonly width: number;
      readonly height: number;
      readonly x: number;
      readonly y: number;
      readonly across: number;
      readonly down: number;
    },
  ): Promise<Grey>;
}
