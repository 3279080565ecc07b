import { z } from 'zod';
import type { Embedding } from '../adapters/embedding.js';
import type { AddAdapterOptions } from '../adapters/options.js';
import type { AddControlNetOptions } from '../controls/options.js';
import { ModelFileError, OptionError, quoted } from '../errors.js';
import { imageLimitsOf } from '../images/limits.js';
import type { RunRecord } from '../images/metadata.js';
import type { AddLoraOptions } from '../loras/options.js';
import type { LoadOptions } from '../models/options.js';
import { readList } from '../options/check.js';
import { readOptions } from '../options/read.js';
import { type Group, recordedOf } from '../options/row.js';
import { pathOf } from '../options/schemas.js';
import { CONTROL } from '../options/table/control.js';
import { GENERATE } from '../options/table/generate.js';
import { INIT } from '../options/table/init.js';
import { REFERENCE } from '../options/table/reference.js';
import { RECIPE } from '../options/table/small.js';
import type { GenerateOptions } from '../run/options.js';
import type { AddTextEmbeddingOptions } from '../words/options.js';
import { RECORD, type Recorded, type RecordedAdapter } from './fields.js';
import { Finder } from './find.js';
import { type Missing, type ToAttach, WeightFinder } from './weights.js';

/**
 * How the files of a record are found.
 *
 * @example
 * const recipe = await recipeOf(record, { search: ['pictures', 'loras'] })
 */
export interface RecipeOptions {
  /**
   * Folders in which pictures and weights are looked for, by their hashes, 0…64, with all below them. Default: the bundled model
   * and what was fetched, which are always looked through.
   */
  readonly search?: readonly string[];
  /** A model in place of the recorded one, which is not looked for then. Default: the record's. */
  readonly model?: string;
  readonly signal?: AbortSignal;
}

/** What draws a picture again: the arguments of `Pipeline.load`, of its calls that attach something, and of `generate`. */
export interface Recipe {
  readonly model: string;
  readonly load: LoadOptions;
  readonly adapters: readonly ToAttach<AddAdapterOptions>[];
  readonly loras: readonly ToAttach<AddLoraOptions>[];
  readonly textEmbeddings: readonly ToAttach<AddTextEmbeddingOptions>[];
  readonly controlNets: readonly ToAttach<AddControlNetOptions>[];
  readonly options: GenerateOptions;
  /** Which of the pictures that these options give it was. */
  readonly keep: number;
}

const MOST_SHOWN = 6; // in the message; the details have all

const missingError = (missing: readonly Missing[]): ModelFileError => {
  const lines = missing.map(
    ({ what, name, sha256 }) =>
      `${what}${name === undefined ? '' : ` ${quoted(name)}`} (${sha256 === undefined ? 'of unknown hash' : `SHA-256 ${sha256.slice(0, 12)}…`})`,
  );
  const more = lines.length > MOST_SHOWN ? ` and ${lines.length - MOST_SHOWN} more` : '';
  return new ModelFileError(
    'MODEL_NOT_FOUND',
    `The picture was drawn with what is not there: ${lines.slice(0, MOST_SHOWN).join(', ')}${more}`,
    'Name the folders that hold these files with search (--search), or give others in their place',
    { details: { missing } },
  );
};

const parsed = (record: unknown): Recorded => {
  const result = RECORD.safeParse(record);
  if (!result.success) {
    const { path, message } = result.error.issues[0]!;
    throw new OptionError(
      'OPTION_TYPE',
      `This record is damaged, or of a version that did not keep enough: ${path.join('.')}: ${message}`,
      'Give the record of a picture that this version has drawn',
      { details: { option: 'record' } },
    );
  }
  if (!result.data.truncated) return result.data;
  throw new OptionError(
    'OPTION_CONFLICT',
    'The prompts of this record were cut to fit into the file: the picture cannot be drawn again from it',
    'Draw it from the record of its run, or take the prompts from where you wrote them',
    { details: { option: 'record.truncated' } },
  );
};

/** The recorded values of a group but these. */
const valuesOf = (group: Group, recorded: object, but: readonly string[]): Record<string, unknown> => {
  const values = recordedOf(group, recorded as Readonly<Record<string, unknown>>);
  return Object.fromEntries(Object.entries(values).filter(([name]) => !but.includes(name)));
};

/** Every picture that a record names, by hash: where it stands there. */
const picturesOf = ({ references, controls, init }: Recorded) => {
  const pictures: { readonly what: string; readonly hash: string | undefined; readonly grey?: boolean }[] = [];
  for (const [i, it] of references.entries()) {
    const at = `references[${i}]`;
    if (it.embedding === undefined && it.face === undefined)
      for (const [k, hash] of it.images.entries()) pictures.push({ what: `${at}.images[${k}]`, hash });
    pictures.push(
      { what: `${at}.compositionImage`, hash: it.compositionImage },
      { what: `${at}.clipMask`, hash: it.clipMask },
      { what: `${at}.mask`, hash: it.region ? undefined : it.mask },
      { what: `${at}.negative`, hash: typeof it.negative === 'string' ? it.negative : undefined },
    );
  }
  for (const [i, { image }] of controls.entries()) pictures.push({ what: `controls[${i}].image`, hash: image });
  pictures.push({ what: 'init.image', hash: init?.image });
  pictures.push({ what: 'init.mask', hash: init?.mask === 'face' ? undefined : init?.mask, grey: true });
  return pictures.flatMap(({ hash, ...it }) => (hash === undefined ? [] : [{ ...it, hash }]));
};

/** What the references of one adapter say of it, in the order in which they name it. */
const adaptersOf = ({ references, init }: Recorded) => {
  const adapters = new Map<string, { readonly what: string; readonly it: RecordedAdapter }>();
  for (const [i, it] of references.entries()) {
    const known = adapters.get(it.adapter)?.it;
    const cropFace = (known?.cropFace ?? false) || (it.cropFace ?? false); // recorded where it had pictures to cut
    adapters.set(it.adapter, { what: `references[${i}]`, it: { ...it, cropFace } });
  }
  if (init?.faces) adapters.set(init.faces.adapter, { what: 'init.faces', it: init.faces });
  return [...adapters.values()];
};

/** Attaches each name once. */
const byName = <T extends { readonly name: string }>(list: readonly T[]): readonly T[] => [
  ...new Map(list.map((one) => [one.name, one])).values(),
];

class Cook {
  readonly weights: WeightFinder;
  pictures: ReadonlyMap<string, string> = new Map();
  embeddings: ReadonlyMap<string, Embedding> = new Map();

  constructor(
    readonly record: Recorded,
    readonly finder: Finder,
  ) {
    this.weights = new WeightFinder(finder);
  }

  async findPictures(): Promise<void> {
    const wanted = picturesOf(this.record);
    const hashes = (grey: boolean): Set<string> =>
      new Set(wanted.flatMap((one) => ((one.grey ?? false) === grey ? [one.hash] : [])));
    this.pictures = await this.finder.pictures(hashes(false), hashes(true));
    for (const { what, hash } of wanted) if (!this.pictures.has(hash)) this.weights.lacks(what, undefined, hash);
    const embeddings = this.record.references.flatMap(({ embedding }) => embedding ?? []);
    this.embeddings = await this.finder.embeddings(new Set(embeddings));
    for (const [i, { embedding, face }] of this.record.references.entries()) {
      if (embedding !== undefined && !this.embeddings.has(embedding))
        this.weights.lacks(`references[${i}].embedding`, undefined, embedding);
      if (face !== undefined) this.weights.lacks(`references[${i}].face`, undefined, face); // it was no file
    }
  }

  async attached<O>(
    list: readonly { readonly what: string; readonly name: string; readonly sha256?: string | undefined }[],
    options: (name: string) => O,
  ): Promise<ToAttach<O>[]> {
    const found: ToAttach<O>[] = [];
    for (const { what, name, sha256 } of byName(list)) {
      const file = await this.weights.file(what, name, sha256);
      if (file !== undefined) found.push({ file, options: options(name) });
    }
    return found;
  }

  /** A person with a place in the picture: nothing else can have been said of it. */
  face({ adapter, images, region, scale }: Recorded['references'][number]): Record<string, unknown> {
    return given({ adapter, image: this.pictures.get(images[0] ?? ''), region, scale });
  }

  reference(it: Recorded['references'][number]): Record<string, unknown> {
    const picture = (hash: string | undefined): string | undefined =>
      hash === undefined ? undefined : this.pictures.get(hash);
    const source = it.embedding ? { embedding: this.embeddings.get(it.embedding) } : { images: it.images.map(picture) };
    const { givenWeights: weights = it.weights } = it;
    return given({
      ...valuesOf(REFERENCE, it, ['images', 'embedding', 'face']),
      ...source,
      weights,
      compositionImage: picture(it.compositionImage),
      clipMask: picture(it.clipMask),
      mask: picture(it.mask),
      negative: typeof it.negative === 'string' ? picture(it.negative) : it.negative,
    });
  }

  options(): GenerateOptions {
    const { references, controls, init, seed, batch, loras } = this.record;
    const picture = (hash: string): string | undefined => this.pictures.get(hash);
    return given({
      ...valuesOf(GENERATE, this.record, ['references', 'controls', 'init']),
      seed: BigInt(seed),
      count: batch?.count,
      references: references.filter(({ region }) => !region).map((it) => this.reference(it)),
      faces: references.filter(({ region }) => region).map((it) => this.face(it)), // which come last
      controls: controls.map((it) => ({ ...valuesOf(CONTROL, it, []), image: picture(it.image) })),
      loras: loras.map(({ name, scale, textScale }) => ({ lora: name, scale, textScale })),
      init: init && {
        ...valuesOf(INIT, init, []),
        image: picture(init.image),
        ...(init.mask !== undefined && { mask: init.mask === 'face' ? 'face' : picture(init.mask) }),
      },
    }) as unknown as GenerateOptions; // `generate` checks every value as if a user had given it
  }
}

/** Without what is undefined. */
const given = (values: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));

/** A card by its number may be another one elsewhere. */
const deviceOf = (device: string): LoadOptions['device'] =>
  (device.startsWith('cuda') ? 'cuda' : device) as LoadOptions['device'];

const own = { search: z.array(z.string()) };

/**
 * What draws a picture again, from its record: files are found by their hashes. All that is missing is named in one error,
 * MODEL_NOT_FOUND, with `details.missing`.
 *
 * @example
 * const { record } = await readMetadata('portrait.png')
 * const recipe = await recipeOf(record!, { search: ['pictures'] })
 * await using pipe = await Pipeline.load(recipe.model, recipe.load)
 * for (const { file, options } of recipe.adapters) await pipe.addAdapter(file, options)
 * for (const { file, options } of recipe.loras) await pipe.addLora(file, options)
 * for (const { file, options } of recipe.textEmbeddings) await pipe.addTextEmbedding(file, options)
 * for (const { file, options } of recipe.controlNets) await pipe.addControlNet(file, options)
 * const { images } = await pipe.generate(recipe.options)
 * await images[recipe.keep]!.toFile('again.png')
 */
export const recipeOf = async (record: RunRecord, options: RecipeOptions = {}): Promise<Recipe> => {
  const {
    search = [],
    model: other,
    signal,
  } = readOptions(RECIPE, options, own, [], (raw) => {
    const isEmpty = Array.isArray(raw.search) && raw.search.length === 0;
    if (raw.search !== undefined && !isEmpty) raw.search = readList(raw.search, 'search', RECIPE.rows.search.range[1]);
  });
  const recorded = parsed(record);
  const background = recorded.imageBackground === undefined ? {} : { background: recorded.imageBackground };
  const folders = search.map((folder, i) => pathOf(folder, `search[${i}]`));
  const finder = await Finder.over(folders, imageLimitsOf(background), signal);
  const cook = new Cook(recorded, finder);
  const { weights } = cook;
  const { model, vae } = other === undefined ? await weights.model(recorded.model) : { model: other, vae: undefined };
  const adapters: ToAttach<AddAdapterOptions>[] = [];
  for (const { what, it } of adaptersOf(recorded)) {
    const found = await weights.adapter(what, it);
    if (found) adapters.push(found);
  }
  const listed = <T extends object>(place: string, list: readonly T[]) =>
    list.map((one, i) => ({ ...one, what: `${place}[${i}]` }));
  const loras = await cook.attached(listed('loras', recorded.loras), (name) => ({ name }));
  const textEmbeddings = await cook.attached(listed('textEmbeddings', recorded.textEmbeddings), (token) => ({ token }));
  const nets = recorded.controls.map(({ controlNet, sha256 }) => ({ name: controlNet, sha256 }));
  const controlNets = await cook.attached(listed('controls', nets), (name) => ({ name }));
  await cook.findPictures();
  if (weights.missing.length > 0) throw missingError(weights.missing);
  return {
    model,
    load: given({
      device: deviceOf(recorded.device),
      dtype: recorded.dtype,
      images: recorded.imageBackground === undefined ? undefined : background,
      vae,
      memory: recorded.vaeTiling && { vaeTiling: recorded.vaeTiling },
    }) as LoadOptions,
    adapters,
    loras,
    textEmbeddings,
    controlNets,
    options: cook.options(),
    keep: recorded.batch?.index ?? 0,
  };
};
