import { adapterParts } from '../adapters/adapter.js';
import { type ResolvedReference, resolveReference } from '../adapters/resolve.js';
import { resolveTiles } from '../adapters/tiles.js';
import { type ResolvedControl, resolveControl } from '../controls/resolve.js';
import { GeneratedImage, seedValue } from '../images/generated-image.js';
import { type ResolvedInit, resolveInit } from '../init/resolve.js';
import { native } from '../native/native.js';
import type { SampleRow, SampleSpec } from '../native/types.js';
import { generatorsOf } from '../schedulers/noise.js';
import { encodePrompts, type TextSpec } from './encode-prompts.js';
import type { GenerateResult, JobControl, Timings } from './job.js';
import type { Run, RunContext } from './request.js';
import { checkRunNeed } from './run-need.js';
import { batchOf, recordOf } from './run-record.js';

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
  text: TextSpec,
  { prompts, controls }: Pick<SampleSpec, 'prompts' | 'controls'>,
  init: ResolvedInit | undefined,
  picture: { readonly index: number; readonly seed: bigint },
): SampleSpec => {
  const { settings, schedule } = run;
  const { width, height } = settings;
  return {
    unet: model.unet,
    width: width / model.factor,
    height: height / model.factor,
    rows: schedule.rows as readonly SampleRow[],
    initNoiseSigma: schedule.initNoiseSigma,
    init: init?.start,
    ...text,
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
  await checkRunNeed(run, context);
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
        sampleSpec(run, context, text.spec, steering, init, { index, seed }),
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
