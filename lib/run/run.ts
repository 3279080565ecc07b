import { adapterParts } from '../adapters/adapter.js';
import { type ResolvedReference, resolveReference } from '../adapters/resolve.js';
import { resolveTiles } from '../adapters/tiles.js';
import { type ResolvedControl, resolveControl } from '../controls/resolve.js';
import { GeneratedImage, seedValue } from '../images/generated-image.js';
import { type ResolvedInit, resolveInit } from '../init/resolve.js';
import { native } from '../native/native.js';
import type { SampleRow, SampleSpec, Tensor, TextInput } from '../native/types.js';
import { type Chunk, chunksOf, equalized, type PromptWord } from '../prompt/index.js';
import { generatorsOf } from '../schedulers/noise.js';
import type { GenerateResult, JobControl, Timings } from './job.js';
import type { Run, RunContext } from './request.js';
import { batchOf, recordOf } from './run-record.js';
import { timeIds } from './sizes.js';

interface Encoded {
  readonly context: Tensor;
  readonly pooled?: Tensor;
}

/** Both prompts as the UNet reads them. */
interface EncodedPrompts {
  readonly positive: Encoded;
  readonly negative: Encoded | undefined;
  /** Text embeddings that stand in them. */
  readonly words: readonly PromptWord[];
}

/** Where words stand in the chunks of one text encoder, and their vectors for it. */
const vectorsIn = (chunks: readonly Chunk[], tower: number): NonNullable<TextInput['vectors']> =>
  chunks.flatMap(({ words }, chunk) => words.map(({ word, at }) => ({ chunk, at, data: word.towers[tower]! })));

const zerosLike = ({ shape, data }: Tensor): Tensor => ({ shape, data: new Float32Array(data.length) });

/** Both prompts through the text encoders; all of equal length. */
const encodePrompts = async (run: Run, { host, model, stop }: RunContext): Promise<EncodedPrompts> => {
  const { settings } = run;
  const guided = settings.guidanceScale > 1;
  const empty = { fragments: [{ text: '', weight: 1 }], loras: [] };
  const isNegative = guided && (run.negative !== undefined || !model.zeroNegative);
  const prompts = [run, run.second].map(({ prompt, negative = empty }) => [prompt, ...(isNegative ? [negative] : [])]);
  // one list for all prompts and tokenizers: the longest sets the number of chunks
  const all = equalized(
    model.text.flatMap(({ tokenizer }, tower) =>
      prompts[tower]!.map(({ fragments }) => ({ tokenizer, chunks: chunksOf(tokenizer, fragments, run.words) })),
    ),
  );
  const encode = (which: number): Promise<Encoded> => {
    const inputs = model.text.map(({ network }, tower): TextInput => {
      const chunks = all[tower * (isNegative ? 2 : 1) + which]!;
      return {
        network,
        chunks: chunks.map((chunk) => chunk.ids),
        weights: chunks.map((chunk) => chunk.weights),
        vectors: vectorsIn(chunks, tower),
        skip: settings.clipSkip[which]!,
        state: model.isXl ? 'penultimate' : 'last',
        ...(model.isXl && tower === model.text.length - 1 ? { pooled: true } : {}),
      };
    });
    return native(
      host.engine.encodeText(inputs, { emphasis: settings.promptSyntax === 'plain' ? 'none' : 'original', stop }),
    );
  };
  const placed = new Set(all.flat().flatMap((chunk) => chunk.words.map(({ word }) => word)));
  const words = run.words.filter((word) => placed.has(word));
  const positive = await encode(0);
  if (!guided) return { positive, negative: undefined, words };
  if (isNegative) return { positive, negative: await encode(1), words };
  // source: diffusers, SDXL's force_zeros_for_empty_prompt
  return {
    positive,
    words,
    negative: {
      context: zerosLike(positive.context),
      ...(positive.pooled ? { pooled: zerosLike(positive.pooled) } : {}),
    },
  };
};

const encodeReferences = async (run: Run, context: RunContext): Promise<ResolvedReference[]> => {
  const { host, model, limits, stop, control } = context;
  const resolved: ResolvedReference[] = [];
  const how = {
    host,
    sites: model.unet.info.sites ?? [],
    limits,
    guided: run.settings.guidanceScale > 1,
    schedule: run.schedule,
    scheduler: model.scheduler,
    picture: run.settings,
    warn: run.warn,
    stop,
  };
  for (const { settings, adapter } of run.references) {
    control.emit({ type: 'encode', part: adapter.name });
    const resolve = settings.tiles ? resolveTiles : resolveReference;
    resolved.push(await resolve(how, settings, adapterParts(adapter)));
  }
  return resolved;
};

const readControls = async (run: Run, { limits, control }: RunContext): Promise<ResolvedControl[]> => {
  const how = { limits, steps: run.schedule.steps, picture: run.settings, warn: run.warn };
  const resolved: ResolvedControl[] = [];
  for (const { settings, net } of run.controls) {
    control.emit({ type: 'encode', part: net.name });
    resolved.push(await resolveControl(how, settings, net));
  }
  return resolved;
};

const encodeInit = async (run: Run, { host, model, limits, stop, control }: RunContext) => {
  const { init, width, height } = run.settings;
  if (!init) return undefined;
  control.emit({ type: 'encode', part: 'init' });
  return resolveInit({ ...model, ...run, engine: host.engine, limits, stop, width, height }, init);
};

const sampleSpec = (
  run: Run,
  { model, stop }: RunContext,
  text: EncodedPrompts,
  { prompts, controls }: Pick<SampleSpec, 'prompts' | 'controls'>,
  init: ResolvedInit | undefined,
  picture: { readonly index: number; readonly seed: bigint },
): SampleSpec => {
  const { settings, schedule } = run;
  const { width, height } = settings;
  const { positive, negative } = text;
  const sizes = timeIds(settings.size, settings);
  return {
    unet: model.unet,
    width: width / model.factor,
    height: height / model.factor,
    rows: schedule.rows as readonly SampleRow[],
    initNoiseSigma: schedule.initNoiseSigma,
    init: init?.start,
    context: positive.context,
    ...(negative ? { negativeContext: negative.context } : {}),
    ...(model.isXl ? { pooled: positive.pooled!, timeIds: sizes.positive } : {}),
    ...(model.isXl && negative ? { negativePooled: negative.pooled!, negativeTimeIds: sizes.negative } : {}),
    guidanceScale: settings.guidanceScale,
    guidanceRescale: settings.guidanceRescale,
    seed: picture.seed,
    noise: generatorsOf(settings),
    ...batchOf(settings, picture.index),
    prompts,
    ...(controls && controls.length > 0 && { controls }),
    stop,
  };
};

/** Tells when an outer step is done, with the time that is left, over all pictures of the run. */
const stepEvents = (
  run: Run,
  image: number,
  began: number,
  control: JobControl,
): ((event: { readonly row: number }) => void) => {
  const { rows, steps } = run.schedule;
  const total = rows.length * run.settings.seeds.length;
  return ({ row }) => {
    const isLast = rows[row + 1]?.step !== rows[row]!.step; // rows of one outer step follow each other
    if (!isLast) return;
    const done = image * rows.length + row + 1;
    const etaMs = ((performance.now() - began) / done) * (total - done);
    control.emit({ type: 'step', step: rows[row]!.step + 1, steps, etaMs: Math.round(etaMs), image });
  };
};

/** Draws the pictures of a run. Ends early, with whatever error, when the job has ended. */
export const draw = async (run: Run, context: RunContext): Promise<GenerateResult> => {
  const { host, model, weights, control, stop, asked } = context;
  const { settings } = run;
  const began = performance.now();
  const seeds = settings.seeds.map(seedValue);
  control.emit({ type: 'start', seeds });
  let said = 0;
  const sayWarnings = (): void => {
    for (; said < run.warnings.length; ++said) control.emit({ type: 'warning', ...run.warnings[said]! });
  };
  sayWarnings();
  await weights.set(run.deltas, stop);
  control.emit({ type: 'encode', part: 'text' });
  const text = await encodePrompts(run, context);
  const resolved = await encodeReferences(run, context);
  const controls = await readControls(run, context);
  const init = await encodeInit(run, context);
  sayWarnings(); // of what the pictures are
  const steering = {
    prompts: resolved.flatMap((reference) => reference.prompts),
    controls: controls.map(({ control }) => control),
  };
  const encoded = performance.now();
  let decodeMs = 0;
  const images: GeneratedImage[] = [];
  for (const [index, seed] of settings.seeds.entries()) {
    const { latents } = await native(
      host.engine.sample(
        sampleSpec(run, context, text, steering, init, { index, seed }),
        stepEvents(run, index, encoded, control),
      ),
    );
    control.emit({ type: 'decode', image: index });
    const decoding = performance.now();
    const drawn = await native(host.engine.decode(model.vae, latents, { scalingFactor: model.scalingFactor, stop }));
    const pixels = init ? await init.finish(drawn) : drawn;
    decodeMs += performance.now() - decoding;
    const image = new GeneratedImage(
      pixels,
      seed,
      recordOf(run, context, { references: resolved, controls, words: text.words, init }, { index, seed }),
      settings.metadata,
    );
    images.push(image);
    control.emit({ type: 'image', index, image });
  }
  const ended = performance.now();
  const timings: Timings = {
    queueMs: began - asked,
    encodeMs: encoded - began,
    sampleMs: ended - encoded - decodeMs,
    decodeMs,
    totalMs: ended - asked,
  };
  control.emit({ type: 'done', timings });
  const licenses = [...new Set(run.references.flatMap(({ adapter }) => adapterParts(adapter).licences))];
  return { images, seeds, timings, warnings: run.warnings, licenses };
};
