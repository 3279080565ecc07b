import { adapterParts } from '../adapters/adapter.js';
import { GeneratedImage, seedValue } from '../images/generated-image.js';
import { native } from '../native/native.js';
import type { SampleInit, SampleRow, SampleSpec, Tensor } from '../native/types.js';
import { generatorsOf } from '../schedulers/noise.js';
import { digestsOf } from './digests.js';
import type { GenerateResult, Timings } from './job.js';
import { lessSpec } from './less.js';
import { type PreparedPass, prepare } from './prepare.js';
import { previewSpec } from './preview-spec.js';
import type { Run, RunContext } from './request.js';
import { checkRunNeed } from './run-need.js';
import { batchOf, recordOf } from './run-record.js';
import { stepEvents } from './step-events.js';
import { startFrom } from './upscale.js';

/** A picture's place among those of a run. */
interface Place {
  readonly index: number;
  readonly seed: bigint;
}

const sampleSpec = (
  { settings, passes }: Run,
  { model, stop }: RunContext,
  { pass, text, prompts, controls }: PreparedPass,
  init: SampleInit | undefined,
  picture: Place,
): SampleSpec => ({
  unet: model.unet,
  width: pass.width / model.factor,
  height: pass.height / model.factor,
  rows: pass.schedule.rows as readonly SampleRow[],
  initNoiseSigma: pass.schedule.initNoiseSigma,
  init,
  ...text,
  guidanceScale: settings.guidanceScale,
  guidanceRescale: settings.guidanceRescale,
  ...lessSpec(settings, pass.schedule, model),
  seed: picture.seed,
  noise: generatorsOf(settings),
  ...batchOf(settings, picture.index),
  prompts,
  ...(controls.length > 0 && { controls }),
  preview: settings.preview && previewSpec(settings.preview, passes, pass, model.preview),
  stop,
});

/** One picture through all passes: the latents of the last. */
const sampled = async (
  run: Run,
  context: RunContext,
  passes: readonly PreparedPass[],
  picture: Place,
  began: number,
): Promise<Tensor> => {
  let latents: Tensor | undefined;
  for (const prepared of passes) {
    if (latents) context.control.emit({ type: 'encode', part: prepared.pass.name });
    const start = latents ? await startFrom(context, prepared, run.settings.hires!, latents) : prepared.init?.start;
    ({ latents } = await native(
      context.host.engine.sample(
        sampleSpec(run, context, prepared, start, picture),
        stepEvents(run, prepared.pass, picture.index, began, context.control),
      ),
    ));
  }
  return latents!;
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
  const prepared = await prepare(run, context);
  const digesting = digestsOf(run, model); // while the steps are on
  digesting.catch(() => undefined); // a run that fails before does not wait for it
  sayWarnings(); // of what the pictures are
  const encoded = performance.now();
  let decodeMs = 0;
  const images: GeneratedImage[] = [];
  for (const [index, seed] of settings.seeds.entries()) {
    const latents = await sampled(run, context, prepared.passes, { index, seed }, encoded);
    sayWarnings(); // of previews
    control.emit({ type: 'decode', image: index });
    const decoding = performance.now();
    const drawn = await native(host.engine.decode(model.vae, latents, { scalingFactor: model.scalingFactor, stop }));
    const { init } = prepared.passes.at(-1)!;
    const pixels = init ? await init.finish(drawn) : drawn;
    decodeMs += performance.now() - decoding;
    const record = recordOf(run, context, { ...prepared, digests: await digesting }, { index, seed });
    const image = new GeneratedImage(pixels, seed, record, settings.metadata);
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
