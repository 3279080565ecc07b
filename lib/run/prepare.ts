import { adapterParts } from '../adapters/adapter.js';
import { type ResolvedReference, resolveReference } from '../adapters/resolve.js';
import { resolveTiles } from '../adapters/tiles.js';
import { windowOf } from '../adapters/window.js';
import { type ResolvedControl, resolveControl } from '../controls/resolve.js';
import { controlWindow } from '../controls/strengths.js';
import { type ResolvedInit, resolveInit } from '../init/resolve.js';
import { laterStart, startOf } from '../init/start.js';
import type { SampleSpec } from '../native/types.js';
import type { PromptWord } from '../prompt/index.js';
import { encodePrompts, TextEncoder, type TextSpec } from './encode-prompts.js';
import { actsIn, type Pass } from './passes.js';
import type { Run, RunContext } from './request.js';

/** A pass with what the step loop needs for every picture. */
export interface PreparedPass {
  readonly pass: Pass;
  readonly text: TextSpec;
  readonly prompts: SampleSpec['prompts'];
  readonly controls: NonNullable<SampleSpec['controls']>;
  /** The picture of the option `init`, at the size of the pass. */
  readonly init: ResolvedInit | undefined;
}

/** What a run's pictures and words became. */
export interface Prepared {
  readonly references: readonly ResolvedReference[];
  readonly controls: readonly ResolvedControl[];
  readonly words: readonly PromptWord[];
  readonly passes: readonly PreparedPass[];
}

const encodeReferences = async (run: Run, context: RunContext): Promise<ResolvedReference[]> => {
  const { host, model, limits, stop, control } = context;
  const resolved: ResolvedReference[] = [];
  const how = {
    host,
    sites: model.unet.info.sites ?? [],
    limits,
    guided: run.settings.guidanceScale > 1,
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
  const how = { limits, picture: run.settings, warn: run.warn };
  const resolved: ResolvedControl[] = [];
  for (const { settings, net } of run.controls) {
    control.emit({ type: 'encode', part: net.name });
    resolved.push(await resolveControl(how, settings, net));
  }
  return resolved;
};

/** The picture of `init`: the first pass begins with it, a later one keeps what is outside its mask. */
const encodeInit = async (run: Run, { host, model, limits, stop, control }: RunContext, pass: Pass) => {
  const { init } = run.settings;
  const isFirst = pass === run.passes[0];
  if (!init || (!isFirst && init.mask === undefined)) return undefined;
  control.emit({ type: 'encode', part: 'init' });
  const context = { ...model, ...pass, engine: host.engine, faces: run.faces, limits, stop };
  return resolveInit(context, init, isFirst ? startOf : laterStart);
};

/** Encodes the prompts and pictures of a run, each once, for all its passes. */
export const prepare = async (run: Run, context: RunContext): Promise<Prepared> => {
  const { scheduler } = context.model;
  context.control.emit({ type: 'encode', part: 'text' });
  const encoder = new TextEncoder(run, context);
  const texts = new Map<Pass, TextSpec>();
  for (const pass of run.passes) texts.set(pass, await encodePrompts(encoder, pass));
  const references = await encodeReferences(run, context);
  const controls = await readControls(run, context);
  const passes: PreparedPass[] = [];
  for (const pass of run.passes) {
    const { schedule } = pass;
    passes.push({
      pass,
      text: texts.get(pass)!,
      prompts: run.references.flatMap(({ settings }, i) => {
        const window = windowOf(schedule, scheduler, settings);
        return actsIn(pass, settings.passes) ? references[i]!.prompts.map((prompt) => ({ ...prompt, window })) : [];
      }),
      controls: run.controls.flatMap(({ settings }, i) => {
        const window = controlWindow(schedule.steps, settings);
        return actsIn(pass, settings.passes) ? [{ ...controls[i]!.control, window }] : [];
      }),
      init: await encodeInit(run, context, pass),
    });
  }
  return { references, controls, words: encoder.words, passes };
};
