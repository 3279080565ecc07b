import { z } from 'zod';
import { namesIn } from '../schedulers/names.js';
import { encodedBytes } from './decode.js';
import { exifBlock, exifTexts, MAX_EXIF } from './exif.js';
import { lazySharp } from './lazy-sharp.js';
import { isPng, type PngText, readTexts } from './png.js';
import { type CapturedImage, captureImage, type ImageSource } from './source.js';

/** Keywords of the two texts that a picture carries. */
const PARAMETERS = 'parameters';
const RECORD = 'node-ip-adapter';

const MAX_TEXT = 65_536; // bytes of one text
const MAX_PROMPT = 8_000; // characters of a prompt where the whole would not fit
const MAX_PROMPT_EXIF = 1_000; // the same in EXIF, where all has 64 KiB

/** Noise that a reference was steered away from. */
export interface NoiseRecord {
  readonly noise: string;
  readonly strength: number;
  readonly blur: number;
}

/** A picture that a run began with. */
export interface InitRecord {
  /** SHA-256 of its pixels in normal form. */
  readonly image: string;
  readonly strength: number;
  /** `face`, or the SHA-256 of the mask's grey pixels. */
  readonly mask?: string;
  readonly maskPadding?: number;
  readonly maskBlur?: number;
  readonly fill?: string;
  readonly colorMatch?: boolean;
  readonly pickFace?: string | number;
  readonly posterior: string;
  /** The adapter whose face networks found the face of the mask, where no reference is its. */
  readonly faces?: {
    readonly adapter: string;
    readonly adapterVersion?: string;
    readonly detSize?: number;
    readonly detThreshold?: number;
    readonly sha256: Readonly<Record<string, string>>;
  };
}

/** The second pass of a run. */
export interface HiresRecord {
  readonly scale: number;
  readonly steps: number;
  readonly strength: number;
  readonly upscaler: string;
}

/**
 * How a picture was made: enough to make it again. Files appear by name and hash, never by path.
 *
 * @example
 * const { record } = await readMetadata('portrait.png')
 * console.log(record?.seed, record?.references[0]?.scale)
 */
export interface RunRecord {
  readonly version: 1;
  readonly package: string;
  readonly prompt: string;
  readonly negativePrompt?: string;
  readonly prompt2?: string;
  readonly negativePrompt2?: string;
  readonly promptSyntax: string;
  readonly width: number;
  readonly height: number;
  readonly steps: number;
  readonly guidanceScale: number;
  readonly guidanceRescale: number;
  readonly guidanceStart?: number;
  readonly guidanceEnd?: number;
  readonly guidanceWindowMode?: string;
  /** Of this picture. A whole number to 2⁶⁴ − 1, therefore text. */
  readonly seed: string;
  readonly sampler: string;
  readonly schedule?: string;
  readonly spacing?: string;
  readonly prediction?: string;
  readonly zeroSnr?: boolean;
  readonly eta?: number;
  readonly clipSkip: readonly [number, number];
  /** What SDXL was told of sizes, where that was not the picture's. */
  readonly size?: unknown;
  readonly init?: InitRecord;
  readonly hires?: HiresRecord;
  readonly noise: string;
  readonly rngDtype?: string;
  readonly batchNoise?: string;
  /** Its place in the one draw of all pictures of the run. */
  readonly batch?: { readonly index: number; readonly count: number };
  /** `cpu`, `cuda:0` … */
  readonly device: string;
  readonly dtype: string;
  /** SHA-256 of its file, or of each of its networks' files, by name. */
  readonly model: {
    readonly name: string;
    readonly family: string;
    readonly sha256?: string | Readonly<Record<string, string>>;
  };
  /** What stood behind transparent pictures, where it was not white. */
  readonly imageBackground?: string;
  /** The VAE ran tile by tile. */
  readonly vaeTiling?: 'always';
  readonly loras: readonly {
    readonly name: string;
    readonly scale: number;
    readonly textScale: number;
    readonly sha256?: string;
  }[];
  /** Text embeddings that the prompts named, with the SHA-256 of their files. */
  readonly textEmbeddings?: readonly { readonly name: string; readonly sha256: string }[];
  readonly references: readonly {
    readonly adapter: string;
    readonly variant: string;
    readonly adapterVersion?: string;
    /** Faces were cut out of the pictures. */
    readonly cropFace?: true;
    /** Side of a face cut out for the image encoder in px, where it is not 224. */
    readonly faceCrop?: number;
    /** How faces were looked for, where it was not as usual. */
    readonly detSize?: number;
    readonly detThreshold?: number;
    /** SHA-256 of the files: adapter, encoder, detector, recognizer, lora. */
    readonly sha256?: Readonly<Record<string, string>>;
    /** SHA-256 of the embedding's bytes, or of the face's numbers, that stood in the place of pictures. */
    readonly embedding?: string;
    readonly face?: string;
    /** Of the picture for the composition. */
    readonly compositionImage?: string;
    /** The box that the mask was made of. */
    readonly region?: readonly number[];
    /** SHA-256 of each picture's pixels in normal form. */
    readonly images: readonly string[];
    readonly scale: unknown;
    readonly loraScale?: number;
    /** Of each face or picture that counted; averages have a sum of 1. */
    readonly weights?: readonly number[];
    /** The weights as they were asked for: one for each picture, or `quality`. */
    readonly givenWeights?: readonly number[] | string;
    /** Places of their pictures, where it is not each picture once. */
    readonly used?: readonly number[];
    readonly structureScale?: number;
    readonly weightMode?: string;
    readonly embedsScaling?: string;
    readonly combine?: string;
    readonly renormalize?: boolean;
    readonly weightType?: string;
    readonly compositionScale?: number;
    readonly boost?: number;
    /** SHA-256 of the mask's pixels in normal form. */
    readonly mask?: string;
    readonly maskMode?: string;
    /** Noise that was steered away from, or the SHA-256 of a picture's pixels in normal form. */
    readonly negative?: string | NoiseRecord;
    readonly uncond?: string;
    readonly fit?: string;
    readonly anchor?: string;
    /** SHA-256 of the pixels, in normal form, of what says what counts of the picture. */
    readonly clipMask?: string;
    readonly tiles?: boolean;
    readonly start?: number;
    readonly end?: number;
    readonly windowMode?: string;
    readonly passes?: string;
    readonly pickFace?: string | number;
    readonly outliers?: string;
    readonly onMissing?: string;
  }[];
  readonly controls?: readonly {
    readonly controlNet: string;
    readonly kind: string;
    /** Of its file. */
    readonly sha256?: string;
    /** SHA-256 of the picture's pixels in normal form. */
    readonly image: string;
    readonly preprocess?: string;
    readonly scale: number;
    readonly start: number;
    readonly end: number;
    readonly passes?: string;
    readonly mode: string;
  }[];
  readonly reuse?: { readonly every: number };
  readonly freeU?: { readonly b1: number; readonly b2: number; readonly s1: number; readonly s2: number };
  readonly label?: string;
  readonly note?: string;
  /** The prompts were cut to fit. */
  readonly truncated?: true;
}

/** Line ends and other control characters written out: a prompt must not be able to write fields of its own. */
const oneLine = (text: string): string =>
  text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g,
    (c) => (c === '\n' ? '\\n' : c === '\r' ? '\\r' : `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`),
  );

const field = (name: string, value: string | number): string => {
  const text = oneLine(String(value));
  return `${name}: ${/[,:"\n]/.test(text) ? JSON.stringify(text) : text}`;
};

const scaleText = (scale: unknown): string =>
  typeof scale === 'number' || typeof scale === 'string' ? String(scale) : JSON.stringify(scale);

/** Names of our upscalers there. */
const UPSCALERS: Readonly<Record<string, string>> = { latent: 'Latent', lanczos: 'Lanczos' };

const hiresFields = (hires: HiresRecord | undefined): string[] =>
  hires === undefined
    ? []
    : [
        field('Denoising strength', hires.strength),
        field('Hires upscale', hires.scale),
        ...(hires.steps > 0 ? [field('Hires steps', hires.steps)] : []),
        field('Hires upscaler', UPSCALERS[hires.upscaler] ?? hires.upscaler),
      ];

/** The text that the AUTOMATIC1111 web UI writes and reads. */
const parametersText = (record: RunRecord): string => {
  const references = record.references.map((reference, i) =>
    field(`IP-Adapter ${i}`, `${reference.adapter}, scale ${scaleText(reference.scale)}`),
  );
  const { sampler, schedule } = namesIn('a1111', record.sampler, record.schedule);
  const fields = [
    field('Steps', record.steps),
    field('Sampler', sampler ?? record.sampler), // our name where it has none
    ...(record.schedule === undefined ? [] : [field('Schedule type', schedule ?? record.schedule)]),
    field('CFG scale', record.guidanceScale),
    field('Seed', record.seed),
    field('Size', `${record.width}x${record.height}`),
    field('Model', record.model.name),
    ...(record.clipSkip[0] > 0 ? [field('Clip skip', record.clipSkip[0] + 1)] : []), // A1111 counts from 1
    ...hiresFields(record.hires),
    ...references,
    field('Version', record.package),
  ];
  const negative = record.negativePrompt ? `Negative prompt: ${oneLine(record.negativePrompt)}\n` : '';
  return `${oneLine(record.prompt)}\n${negative}${fields.join(', ')}`;
};

const bytes = (text: string): number => Buffer.byteLength(text, 'utf8');

/** `record` with its prompts cut. */
const cut = (record: RunRecord, most: number): RunRecord => {
  const prompts = (['prompt', 'negativePrompt', 'prompt2', 'negativePrompt2'] as const)
    .filter((name) => record[name] !== undefined)
    .map((name) => [name, record[name]!.slice(0, most)]);
  return { ...record, ...Object.fromEntries(prompts), truncated: true };
};

/** `record` with its prompts cut where either text would be longer than 64 KiB. */
const fitting = (record: RunRecord): RunRecord => {
  if (bytes(JSON.stringify(record)) <= MAX_TEXT && bytes(parametersText(record)) <= MAX_TEXT) return record;
  return cut(record, MAX_PROMPT);
};

/** The EXIF block of a JPEG or WebP. */
export const metadataExif = (record: RunRecord): Buffer => {
  const block = (shown: RunRecord): Buffer => exifBlock(parametersText(shown), JSON.stringify(shown));
  const whole = block(record);
  return whole.length <= MAX_EXIF ? whole : block(cut(record, MAX_PROMPT_EXIF));
};

/** The two texts of a picture. */
export const metadataTexts = (record: RunRecord): PngText[] => {
  const shown = fitting(record);
  return [
    { keyword: PARAMETERS, text: parametersText(shown) },
    // JSON writes lone surrogates and control characters as escapes: it comes back exactly
    { keyword: RECORD, text: JSON.stringify(shown), utf8: true },
  ];
};

/** What a picture's file says about how it was made. */
export interface Metadata {
  /** The AUTOMATIC1111 text, as it stands. */
  readonly parameters?: string;
  /** Our own record, when there is one. */
  readonly record?: RunRecord;
  /** Every text of the file by keyword. */
  readonly texts: Readonly<Record<string, string>>;
}

const looseRecord = z.looseObject({
  version: z.literal(1),
  prompt: z.string(),
  seed: z.string(),
  width: z.number(),
  height: z.number(),
  steps: z.number(),
  references: z.array(z.looseObject({ adapter: z.string() })),
});

const recordOf = (text: string | undefined): RunRecord | undefined => {
  if (text === undefined) return undefined;
  try {
    const parsed = looseRecord.safeParse(JSON.parse(text));
    return parsed.success ? (parsed.data as unknown as RunRecord) : undefined;
  } catch {
    return undefined; // another program's text under our name
  }
};

/** Of a JPEG or WebP; of anything else none. trap: libvips would open further formats, which can read other files */
const textsOfExif = async (file: Buffer): Promise<Map<string, string>> => {
  if (!/^(\xff\xd8\xff|RIFF.{4}WEBP)/s.test(file.toString('latin1', 0, 12))) return new Map();
  const found = await lazySharp()(file)
    .metadata()
    .catch(() => undefined);
  const texts = found?.exif ? exifTexts(found.exif, { text: PARAMETERS, json: RECORD }) : [];
  return new Map(texts.map(({ keyword, text }) => [keyword, text]));
};

/**
 * Reads what a PNG, JPEG or WebP says about how it was made; files of the AUTOMATIC1111 web UI and ComfyUI too.
 *
 * @example
 * const { parameters, record } = await readMetadata('portrait.png')
 */
export const readMetadata = async (image: ImageSource): Promise<Metadata> => {
  const captured: CapturedImage = captureImage(image, 'image');
  const file = Buffer.from(await encodedBytes(captured));
  const texts = isPng(file) ? readTexts(file) : await textsOfExif(file);
  const parameters = texts.get(PARAMETERS);
  const record = recordOf(texts.get(RECORD));
  return {
    ...(parameters === undefined ? {} : { parameters }),
    ...(record === undefined ? {} : { record }),
    texts: Object.fromEntries(texts),
  };
};
