import { Adapter, adapterParts } from '../adapters/adapter.js';
import { checkReference } from '../adapters/check-reference.js';
import type { ReferenceSettings } from '../adapters/reference.js';
import { influencesOf } from '../adapters/site-prompts.js';
import { OptionError, quoted, StateError } from '../errors.js';
import type { Companions } from '../loras/companions.js';
import { companionNames, loraPlan } from '../loras/deltas.js';
import type { Lora } from '../loras/lora.js';
import type { Model } from '../models/model.js';
import { attachedOne, type Choice } from '../options/attached.js';
import { expectedFor } from '../options/check.js';
import { type LoraUse, type ParsedPrompt, type PromptWord, parsePrompt } from '../prompt/index.js';
import { schedule } from '../schedulers/index.js';
import type { Logger } from '../warnings.js';
import { type Warning, warner } from '../warnings.js';
import type { RunSettings } from './options.js';
import type { Run } from './request.js';

/** What a run may refer to. */
export interface Attached {
  readonly model: Model;
  readonly adapters: ReadonlyMap<string, Adapter>;
  readonly loras: ReadonlyMap<string, Lora>;
  readonly companions: Companions;
  readonly words: readonly PromptWord[];
}

const adapterChoice = (attached: ReadonlyMap<string, Adapter>): Choice<Adapter> => ({
  what: 'adapter',
  call: 'addAdapter',
  isHandle: (value) => value instanceof Adapter,
  attached,
});

/** Samplers whose schedule is their own. */
const FIXED_SCHEDULE: readonly string[] = ['ddim', 'pndm', 'lcm', 'tcd'];

const adapterOf = ({ adapter, option }: ReferenceSettings, adapters: ReadonlyMap<string, Adapter>): Adapter => {
  const attached = [...adapters.values()];
  if (adapter === undefined) {
    if (attached.length === 1) return attached[0]!;
    if (attached.length === 0)
      throw new StateError(
        'NOT_LOADED',
        `${option} needs an adapter and none is attached`,
        'Attach one first: await pipe.addAdapter(file)',
      );
    throw new OptionError(
      'OPTION_CONFLICT',
      `${option} names no adapter and ${attached.length} are attached`,
      `Give adapter, one of ${attached.map((one) => quoted(one.name)).join(', ')}`,
      { details: { option: `${option}.adapter` } },
    );
  }
  return attachedOne(adapter, `${option}.adapter`, adapterChoice(adapters));
};

/** Layers that may be left out depend on the model's encoders. */
const checkClipSkip = ({ clipSkip }: RunSettings, model: Model): void => {
  const most = Math.min(...model.text.map(({ network }) => network.info.layers ?? 1)) - 1;
  for (const skip of clipSkip) {
    if (skip > most)
      throw expectedFor('OPTION_RANGE', 'clipSkip', `a whole number from 0 to ${most}`, skip, 'Give clipSkip 0 or 1');
  }
};

/** All prompts of a run; a second one that is not given is the first. */
const parsedPrompts = (
  settings: RunSettings,
  names: readonly string[],
): Pick<Run, 'prompt' | 'negative' | 'second'> => {
  const parsed = (text: string): ParsedPrompt => parsePrompt(text, settings.promptSyntax, names);
  const { prompt, negativePrompt, prompt2 = prompt, negativePrompt2 = negativePrompt } = settings;
  // one negative prompt alone: the other encoder reads an empty one
  const isNegative = negativePrompt !== undefined || negativePrompt2 !== undefined;
  return {
    prompt: parsed(prompt),
    negative: isNegative ? parsed(negativePrompt ?? '') : undefined,
    second: { prompt: parsed(prompt2), negative: isNegative ? parsed(negativePrompt2 ?? '') : undefined },
  };
};

const lorasOf = ({ prompt, negative, second }: ReturnType<typeof parsedPrompts>): LoraUse[] =>
  [prompt, second.prompt, negative, second.negative].flatMap((one) => one?.loras ?? []);

/** Everything that can be wrong with a run and needs no work to be found. */
export const checkedRun = (
  settings: RunSettings,
  attached: Attached,
  how: { readonly logger: Logger | undefined; readonly strict: boolean },
): Run => {
  const { model, adapters, loras, companions } = attached;
  const warnings: Warning[] = [];
  const warn = warner((warning) => warnings.push(warning), how.logger, how.strict);
  const { sampler, schedule: sigmas, spacing, prediction, eta } = settings;
  if (eta !== undefined && sampler !== 'ddim' && sampler !== 'tcd')
    warn('OPTION_CONFLICT', `eta has no effect: sampler ${sampler} does not know it`);
  if (sigmas !== undefined && sigmas !== 'default' && FIXED_SCHEDULE.includes(sampler)) {
    warn('OPTION_CONFLICT', `schedule has no effect: sampler ${sampler} has its own`);
  }
  checkClipSkip(settings, model);
  for (const name of ['prompt2', 'negativePrompt2', 'size'] as const)
    if (settings[name] !== undefined && !model.isXl) warn('OPTION_CONFLICT', `${name} has no effect: it is SDXL's`);
  const prompts = parsedPrompts(settings, [...loras.keys(), ...companionNames(adapters.values())]);
  const references = settings.references.map((reference) => {
    const adapter = adapterOf(reference, adapters);
    checkReference(reference, adapterParts(adapter), settings.guidanceScale > 1, warn);
    influencesOf(reference, model.unet.info.sites ?? []);
    return { settings: reference, adapter };
  });
  const asked = { loras: settings.loras, uses: lorasOf(prompts), references };
  const plan = loraPlan({ loras, adapters, companions }, asked, warn);
  return {
    settings,
    ...prompts,
    words: settings.promptSyntax === 'plain' ? [] : attached.words,
    schedule: schedule(sampler, model.scheduler, settings.steps, {
      schedule: sigmas,
      spacing,
      prediction,
      eta,
    }),
    references,
    ...plan,
    warnings,
    warn,
  };
};
