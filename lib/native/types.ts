// The addon's shapes, as native/binding of the repository makes them.
import type { ControlInput } from './control-types.js';
import type { Card, Dtype } from './device-types.js';
import type { InitEngine, SampleInit } from './init-types.js';
import type { SampleLess } from './less-types.js';
import type { LoadTime, MemoryEngine, MemorySpec } from './memory-types.js';
import type { NoiseBatch, NoiseSpec } from './noise-spec.js';
import type { DetectedFace } from './picture-types.js';
import type { PreviewSpec, StepEvent, VaeTiling } from './preview-types.js';
import type { RegionMask } from './region-mask.js';
import type { SampleRow } from './row-types.js';
import type { SaveEngine } from './save-types.js';
import type { FadedPiece, SampleTexts } from './text-types.js';
import type { CallOptions, Pixels, Stop, Tensor } from './values.js';

export type { Card, Dtype } from './device-types.js';
export type * from './init-types.js';
export type * from './memory-types.js';
export type { DetectedFace } from './picture-types.js';
export type * from './preview-types.js';
export type { RegionMask } from './region-mask.js';
export type { SampleRow } from './row-types.js';
export type * from './values.js';

/** Where weights come from: a file (a name dialect and a prefix say how its tensors are called), or generated ones. */
export type WeightSource =
  | { readonly path: string; readonly dialect?: 'diffusers' | 'ldm' }
  | {
      readonly synthetic: string;
      readonly tensors: Readonly<Record<string, readonly number[]>>;
      readonly factors?: Readonly<Record<string, number>>;
      /** What they are rounded to, as a checkpoint's are. Default f32. */
      readonly dtype?: 'f16';
    };

export interface LoadSpec extends LoadTime {
  readonly kind: 'unet' | 'vae' | 'clip_text' | 'clip_vision' | 'adapter' | 'onnx' | 'control';
  readonly source: WeightSource;
  /** The parsed config.json, for what tensors cannot tell. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Of an adapter or control: the UNet it must fit. */
  readonly unet?: NetworkHandle;
  /** Which text encoder: 0 CLIP-L, 1 bigG. */
  readonly encoder?: number;
  /** Of a vae: whether it runs in tiles. Default auto. */
  readonly tiling?: VaeTiling;
}

/** A loaded network. `info` holds plain numbers and names by kind, see native/binding/network.cpp. */
export interface NetworkHandle {
  readonly info: NetworkInfo;
  /** Frees the weights; later calls reject with CLOSED. */
  dispose(): void;
  /** How often a plan of this network has been run. */
  runs(plan: string): number;
  /** Bytes of its weights and of the programs that it keeps. */
  memory(): number;
  /** FNV-1a over the packed weights: equal before and after attaching and detaching. */
  digest(): string;
}

export interface NetworkInfo {
  readonly kind: string;
  /** Of weights in the device's memory. */
  readonly bytes: number;
  /** Of weights that come from the host in every run, and the seconds that takes, about; absent where there are none. */
  readonly streamed?: { readonly bytes: number; readonly seconds: number };
  readonly parameters: number;
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
  /** unet */
  readonly inChannels?: number;
  readonly outChannels?: number;
  readonly context?: number;
  readonly levels?: number;
  readonly family?: string;
  readonly pooledWidth?: number;
  readonly sites?: readonly { readonly path: string; readonly width: number; readonly index: number }[];
  /** vae, control */
  readonly factor?: number;
  readonly latentChannels?: number;
  /** A tiny autoencoder: its latents are the scaled ones. */
  readonly tiny?: boolean;
  readonly decodes?: boolean;
  /** clip_text, clip_vision */
  readonly width?: number;
  readonly layers?: number;
  readonly positions?: number;
  readonly projection?: number;
  readonly image?: number;
  readonly tokens?: number;
  /** adapter, control */
  readonly variant?: string;
  readonly tokensPerImage?: number;
  readonly encoderOutput?: 'none' | 'image_embeds' | 'penultimate';
  readonly encoderWidth?: number;
  readonly identityWidth?: number;
  readonly rawIdentity?: boolean;
  readonly loraRank?: number;
  /** control: which of both it is, pixels of its picture per place, how many strengths it takes; shuffle's means */
  readonly channels?: number;
  readonly strengths?: number;
  readonly globalPool?: boolean;
  /** onnx: declared input [N, C, H, W], -1 where free; outputs in graph order with their declared dims */
  readonly input?: readonly number[];
  readonly outputs?: readonly (readonly number[])[];
}

/** Tokens of one prompt for one text encoder. */
export interface TextInput {
  readonly network: NetworkHandle;
  /** One array of token ids per chunk, each as long as the encoder's positions. */
  readonly chunks: readonly (readonly number[])[];
  /** One weight per token, in the chunks' shape; absent: all 1. */
  readonly weights?: readonly (readonly number[])[];
  /** Rows [n, width] in place of tokens of a chunk, `at` the first one. */
  readonly vectors?: readonly { readonly chunk: number; readonly at: number; readonly data: Float32Array }[];
  /** The chunk of an empty prompt, for emphasis from-empty. */
  readonly empty?: readonly number[];
  /** Pieces that weigh less than 1: encodings in which nothing sees their tokens are mixed in. Runs of tokens, one per chunk. */
  readonly faded?: readonly FadedPiece[];
  /** How many layers from the end are left out. */
  readonly skip: number;
  /** last: after the final LayerNorm (SD1.5); penultimate: the last but one layer without it (SDXL). */
  readonly state: 'last' | 'penultimate';
  /** Also the pooled, projected end token of the first chunk. */
  readonly pooled?: boolean;
}

export interface SampleSpec extends CallOptions, SampleLess {
  readonly unet: NetworkHandle;
  readonly width: number; // latent columns
  readonly height: number; // latent rows
  /** None: what the run begins with is its result. */
  readonly rows: readonly SampleRow[];
  readonly initNoiseSigma: number;
  /** A picture to begin with, in place of noise alone. */
  readonly init?: SampleInit | undefined;
  /** [1, 1, T, D]; with guidance both, of equal T. Absent where there are `texts`. */
  readonly context?: Tensor;
  readonly negativeContext?: Tensor;
  /** SDXL: [1, 1, 1, P] and six numbers. */
  readonly pooled?: Tensor;
  readonly negativePooled?: Tensor;
  readonly timeIds?: readonly number[];
  readonly negativeTimeIds?: readonly number[];
  /** Texts that change with the steps, or that are summed. */
  readonly texts?: SampleTexts;
  readonly guidanceScale: number;
  readonly guidanceRescale: number;
  readonly seed: bigint;
  readonly noise?: NoiseSpec;
  readonly batch?: NoiseBatch;
  readonly prompts: readonly {
    readonly adapter: NetworkHandle;
    readonly tokens: Tensor; // [1, 1, T, D]
    readonly negativeTokens?: Tensor; // same T, with guidance
    /** One scale per cross-attention in execution order. */
    readonly scales: readonly number[];
    /** One factor per outer step: 1 inside the window of influence, 0 outside. */
    readonly window: readonly number[];
    /** Where in the picture it acts; absent: everywhere. */
    readonly mask?: RegionMask;
    /** V of every token is multiplied by 1 + gain. */
    readonly tokenGains?: readonly number[];
    /** Three per cross-attention: K and V are multiplied by 1 + gain, then V has the third times its mean over tokens. */
    readonly siteGains?: readonly number[];
  }[];
  /** ControlNets and T2I-Adapters, at most 8. */
  readonly controls?: readonly ControlInput<NetworkHandle>[];
  readonly preview?: PreviewSpec<NetworkHandle> | undefined;
  /** Also return the latents after every row. */
  readonly keepSteps?: boolean;
}

export interface SampleResult {
  readonly latents: Tensor; // [1, h, w, 4]
  readonly steps?: readonly Tensor[];
}

export interface Engine
  extends InitEngine<NetworkHandle>,
    MemoryEngine<NetworkHandle>,
    SaveEngine<NetworkHandle, LoraHandle> {
  readonly info: {
    /** `cpu`, `cuda:0` … or `emulated`. */
    readonly device: string;
    /** Of a card. */
    readonly name?: string;
    readonly level: string;
    readonly threads: number;
    /** What UNet, VAE decoder and CLIP encoders compute with; f16 is never the decoder's: bf16, or f32 where there is none. */
    readonly dtype: Exclude<Dtype, 'auto'>;
  };
  load(spec: LoadSpec, onProgress?: (event: { bytes: number; totalBytes: number }) => void): Promise<NetworkHandle>;
  /** Context of one prompt: the encoders' states side by side (SDXL), chunks one after another, weights applied. */
  encodeText(
    inputs: readonly TextInput[],
    options: CallOptions & { readonly emphasis: 'original' | 'no-norm' | 'from-empty' | 'none' },
  ): Promise<{ readonly context: Tensor; readonly pooled?: Tensor }>;
  /**
   * CLIP features of pictures: resized (shortest side, bicubic), cropped, normalised; or of an all-zero pixel tensor
   * for each null. Per picture image_embeds [1, 1, 1, P] or penultimate states [1, 1, T, W].
   */
  encodeImages(
    network: NetworkHandle,
    images: readonly (Pixels | null)[],
    options: CallOptions & {
      readonly output: 'image_embeds' | 'penultimate';
      readonly size: number;
      readonly mean: readonly number[];
      readonly std: readonly number[];
      /** How a picture becomes a square: its centre, unless it says otherwise. */
      readonly fit?: 'crop' | 'squash' | 'pad' | undefined;
      readonly anchor?: 'center' | 'top' | 'bottom' | 'left' | 'right' | undefined;
      /** One per picture, of any size: its grey multiplies the normalised pixels. */
      readonly masks?: readonly (Pixels | null)[] | undefined;
    },
  ): Promise<readonly Tensor[]>;
  /** Noise of the encoder's size, made of a picture's centre, or of black. */
  negativeNoise(
    image: Pixels | null,
    options: CallOptions & {
      readonly size: number;
      readonly noise: 'fade' | 'dissolve' | 'gaussian' | 'shuffle';
      readonly strength: number;
      readonly blur: number;
    },
  ): Promise<Pixels>;
  /** Image tokens [1, 1, T, D] of one reference: embeds per picture, or identity (+ hidden states) per face. */
  project(
    adapter: NetworkHandle,
    inputs: {
      readonly features?: readonly Tensor[];
      readonly identities?: readonly Float32Array[];
      /** FaceID Plus: off (v1) is structureScale absent. */
      readonly structureScale?: number;
    },
    options: CallOptions,
  ): Promise<Tensor>;
  /** Tensors of one shape as one, element by element; `renormalize` brings vectors back to length 1. */
  combine(
    tensors: readonly Tensor[],
    options: CallOptions & {
      readonly how: 'average' | 'norm average' | 'add' | 'subtract' | 'max' | 'min';
      readonly weights: readonly number[];
      readonly renormalize: boolean;
    },
  ): Promise<Tensor>;
  detectFaces(
    network: NetworkHandle,
    image: Pixels,
    options: CallOptions & { readonly size: number; readonly threshold: number; readonly nms: number },
  ): Promise<readonly DetectedFace[]>;
  /** Similarity-aligned crop, `size` a multiple of 112 or 128. */
  alignFace(image: Pixels, landmarks: readonly number[], size: number, options: CallOptions): Promise<Pixels>;
  /** The recogniser's raw output for an aligned 112 crop. */
  identify(network: NetworkHandle, crop: Pixels, options: CallOptions): Promise<Float32Array>;
  /**
   * Makes the weights of a UNet or text encoder base + sum of strength x delta, from the file's own numbers; an empty
   * list restores them byte for byte. Deltas come from an adapter's inside or from a LoRA file, of all that a file has
   * those of this network act.
   */
  setLoras(
    network: NetworkHandle,
    loras: readonly { readonly lora: DeltaSource; readonly strength: number }[],
    options: CallOptions,
  ): Promise<{ readonly changed: number }>;
  /** Matches a file with a model's UNet and text encoders. */
  openLora(path: string, networks: readonly NetworkHandle[], options: CallOptions): Promise<LoraHandle>;
  /** Whether both make the same change of every weight, compared number by number. */
  sameDeltas(a: DeltaSource, b: DeltaSource, options: CallOptions): Promise<boolean>;
  sample(spec: SampleSpec, onStep?: (event: StepEvent) => void): Promise<SampleResult>;
  /** RGB, 8 bit, rounded. `scalingFactor` divides the latents. */
  decode(
    vae: NetworkHandle,
    latents: Tensor,
    options: CallOptions & { readonly scalingFactor: number },
  ): Promise<Pixels>;
  /** Names, types and shapes of a weight file, by its header. An adapter must fit `unet`: a loaded one, or its file. */
  inspect(path: string, options: CallOptions & { readonly unet?: NetworkHandle | string }): Promise<FileInfo>;
  /** Any plan of a network with given inputs, for tests and the golden runner. */
  run(
    network: NetworkHandle,
    plan: string,
    inputs: Readonly<Record<string, Tensor>>,
    options: CallOptions & { readonly numbers?: Readonly<Record<string, number>>; readonly taps?: readonly string[] },
  ): Promise<Readonly<Record<string, Tensor>>>;
  /** Ends the engine's thread; running and waiting calls reject. */
  close(): void;
}

export interface LoraHandle {
  readonly info: {
    /** Layers that it changes: of the UNet, and of text encoders. */
    readonly modules: number;
    readonly textModules: number;
    readonly unmatched: readonly string[];
    readonly rank: number;
    readonly warnings: readonly { readonly code: string; readonly message: string }[];
  };
}

/** Where changes of weights come from: an adapter's inside, or a LoRA file. */
export type DeltaSource = NetworkHandle | LoraHandle;

export interface FileInfo {
  readonly format: string;
  readonly kind: string;
  readonly bytes: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: readonly { readonly name: string; readonly dtype: string; readonly shape: readonly number[] }[];
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
  /** Of an adapter: what detection found. */
  readonly adapter?: NetworkInfo;
}

export interface Addon {
  /** The package's version that it was built for. Absent in an addon from before it was told. */
  readonly version?: string;
  /** Levels this CPU and this binary have, slowest first. */
  levels(): readonly string[];
  readonly Stop: new () => Stop;
  /** Tensors of a weight file whose bytes are in memory, as f32; `name` is for errors. */
  readTensors(
    bytes: Uint8Array,
    name: string,
  ): readonly { readonly name: string; readonly shape: readonly number[]; readonly data: Float32Array }[];
  /**
   * Opens a device library and its driver: for a process of its own (`probe.ts`), since a broken one may crash or hang.
   * Absent in an addon from before cards.
   */
  readonly probe?: (library: string) => { readonly devices: readonly Card[] };
  readonly Engine: new (
    options: MemorySpec & {
      /** Default cpu; every other one has its library, as an absolute path. */
      readonly device?: string;
      readonly library?: string;
      readonly level?: string;
      readonly threads?: number;
      readonly dtype?: Dtype;
    },
  ) => Engine;
}
