import {
  foreignSettings,
  type GenerateOptions,
  IpAdapterError,
  type LoadOptions,
  type Missing,
  OptionError,
  type Pipeline,
  type Recipe,
  type RunRecord,
  readMetadata,
  recipeOf,
} from '../index.js';
import { say } from './output.js';
import type { ReferenceList } from './references.js';

/** What the command line says, as far as it takes the place of what a picture says. */
export interface Given {
  readonly model: string | undefined;
  readonly loras: readonly string[];
  readonly textEmbeddings: readonly string[];
  readonly references: ReferenceList;
  readonly controls: ReferenceList;
  /** The options of `init`. */
  readonly init: Readonly<Record<string, unknown>>;
  readonly search: readonly string[];
  readonly signal: AbortSignal;
}

/** What a run begins with before the flags. */
export interface Begun {
  readonly model?: string;
  readonly load: LoadOptions;
  readonly options: Partial<GenerateOptions>;
  readonly attach: (pipe: Pipeline) => Promise<void>;
  /** The one picture that is meant, of all that the options give. */
  readonly keep?: number;
}

/** A run that begins with no picture. */
export const NOTHING: Begun = { load: {}, options: {}, attach: async () => {} };

/** The record without what the command line says otherwise: that is not looked for. */
const rest = (record: RunRecord, { loras, textEmbeddings, references, controls, init }: Given): RunRecord => {
  const { init: recorded, ...others } = record;
  const { mask, ...unmasked } = recorded ?? {};
  const begun = init.mask === undefined ? recorded : unmasked;
  return {
    ...others,
    ...(loras.length > 0 && { loras: [] }),
    ...(textEmbeddings.length > 0 && { textEmbeddings: [] }),
    ...(!references.isEmpty && { references: [] }),
    ...(!controls.isEmpty && { controls: [] }),
    ...(recorded && init.image === undefined && { init: begun }),
  } as RunRecord;
};

const tellMissing = (error: unknown): void => {
  if (!(error instanceof IpAdapterError) || !Array.isArray(error.details.missing)) return;
  for (const { what, name, sha256 } of error.details.missing as readonly Missing[])
    say(`missing: ${what}${name === undefined ? '' : ` ${JSON.stringify(name)}`}${sha256 ? ` sha256 ${sha256}` : ''}`);
};

/** Options without a picture speak of the first entry that the record has. */
const changed = <T extends object>(
  list: readonly T[] = [],
  change: Readonly<Record<string, unknown>>,
  what: string,
): T[] => {
  if (Object.keys(change).length === 0) return [...list];
  const [first, ...others] = list;
  const isFile = 'adapter' in change || 'controlNet' in change;
  if (first && !isFile) return [{ ...first, ...change }, ...others];
  throw new OptionError(
    'OPTION_CONFLICT',
    isFile
      ? `Another network needs its own ${what}`
      : `The picture of --from has no ${what} that these options could change`,
    what === 'reference' ? 'Add --reference FILE' : 'Add --control-image FILE',
  );
};

const attachAll = async (pipe: Pipeline, recipe: Recipe): Promise<void> => {
  for (const { file, options } of recipe.adapters) await pipe.addAdapter(file, options);
  for (const { file, options } of recipe.loras) await pipe.addLora(file, options);
  for (const { file, options } of recipe.textEmbeddings) await pipe.addTextEmbedding(file, options);
  for (const { file, options } of recipe.controlNets) await pipe.addControlNet(file, options);
};

const again = async (record: RunRecord, given: Given): Promise<Begun> => {
  const { search, model, signal, references, controls } = given;
  const recipe = await recipeOf(rest(record, given), { search, signal, ...(model !== undefined && { model }) }).catch(
    (error: unknown) => {
      tellMissing(error);
      throw error;
    },
  );
  const { loras, references: own = [], faces = [], controls: steered, ...options } = recipe.options;
  const change = references.withoutPicture();
  const first = own.length > 0;
  return {
    model: recipe.model,
    load: recipe.load,
    options: {
      ...options,
      references: first ? changed(own, change, 'reference') : own,
      faces: first ? faces : changed(faces, change, 'reference'),
      controls: changed(steered, controls.withoutPicture(), 'control image'),
      ...(given.loras.length === 0 && loras && { loras }),
    },
    attach: (pipe) => attachAll(pipe, recipe),
    keep: recipe.keep,
  };
};

/** Reads the picture that a run is to be drawn like. What it says and is not taken is told. */
export const begunFrom = async (file: string, given: Given): Promise<Begun> => {
  const metadata = await readMetadata(file);
  if (metadata.record) return again(metadata.record, given);
  const settings = foreignSettings(metadata);
  if (!settings) {
    throw new OptionError(
      'OPTION_CONFLICT',
      `${file} says nothing of how it was made`,
      'Give a picture of this package, of the AUTOMATIC1111 web UI or of ComfyUI, whose file still has its settings',
    );
  }
  for (const one of settings.notTaken) say(`not taken: ${one}`);
  return { load: {}, options: settings.options as Partial<GenerateOptions>, attach: async () => {} };
};
