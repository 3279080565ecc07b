import { Adapter, adapterParts } from '../adapters/adapter.js';
import { checkReference } from '../adapters/check-reference.js';
import { influencesOf } from '../adapters/site-prompts.js';
import { ControlNet } from '../controls/control-net.js';
import type { ControlSettings } from '../controls/options.js';
import { FaceError, OptionError, quoted } from '../errors.js';
import { warnOfInit } from '../init/options.js';
import type { Companions } from '../loras/companions.js';
import { companionNames, loraPlan } from '../loras/deltas.js';
import type { Lora } from '../loras/lora.js';
import type { Model } from '../models/model.js';
import { type Choice, chosenOne } from '../options/attached.js';
import { expectedFor } from '../options/check.js';
import { type PromptWord, paired, type Reading, type Wording, wordingOf } from '../prompt/index.js';
import { traitsOf } from '../schedulers/index.js';
import { type Logger, type Warn, type Warning, warner } from '../warnings.js';
import { checkLess } from './less.js';
import type { RunSettings } from './options.js';
import { type Pass, passesOf, warnOfPasses } from './passes.js';
import type { Run } from './request.js';

/** What a run may refer to. */
export interface Attached {
  readonly model: Model;
  readonly adapters: ReadonlyMap<string, Adapter>;
  readonly controlNets: ReadonlyMap<string, ControlNet>;
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

const controlChoice = (attached: ReadonlyMap<string, ControlNet>): Choice<ControlNet> => ({
  what: 'ControlNet',
  call: 'addControlNet',
  isHandle: (value) => value instanceof ControlNet,
  attached,
});

/** σ above which nothing of a picture is left; training without zeroSnr ends at 15. */
const WITHOUT_SIGNAL = 1000;

/** A control whose mode has nothing to act on is warned of. */
const checkControl = ({ option, mode }: ControlSettings, net: ControlNet, guided: boolean, warn: Warn): void => {
  if (mode === 'guess' && net.info.kind === 't2i-adapter')
    warn('OPTION_CONFLICT', `${option}.mode guess has no effect: ${quoted(net.name)} is a T2I-Adapter`);
  if (mode === 'control' && !guided)
    warn('OPTION_CONFLICT', `${option}.mode control acts as prompt: without guidance there is no unconditional half`);
};

/** Layers that may be left out depend on the model's encoders. */
const checkClipSkip = ({ clipSkip }: RunSettings, model: Model): void => {
  const most = Math.min(...model.text.map(({ network }) => network.info.layers ?? 1)) - 1;
  for (const skip of clipSkip) {
    if (skip > most)
      throw expectedFor('OPTION_RANGE', 'clipSkip', `a whole number from 0 to ${most}`, skip, 'Give clipSkip 0 or 1');
  }
};

/** What the prompts of a run say, for all text encoders; a second one that is not given is the first. */
const wordings = (settings: RunSettings, reading: Omit<Reading, 'isNegative'>): Pick<Pass, 'prompt' | 'negative'> => {
  const { prompt, prompt2, negativePrompt, negativePrompt2 } = settings;
  const both = (first: string, second: string | undefined, isNegative: boolean): Wording => {
    const [one, ...other] = [first, ...(second === undefined ? [] : [second])].map((text) =>
      wordingOf(text, settings.promptSyntax, { ...reading, isNegative }),
    );
    return other.length > 0 ? paired(one!, other[0]!) : one!;
  };
  // one negative prompt alone: the other encoder reads an empty one
  const isNegative = negativePrompt !== undefined || negativePrompt2 !== undefined;
  return {
    prompt: both(prompt, prompt2, false),
    negative: isNegative ? both(negativePrompt ?? '', negativePrompt2, true) : undefined,
  };
};

/** Sums of texts are sums of differences from the negative one. */
const checkParts = ({ guidanceScale }: RunSettings, { parts }: Wording): void => {
  if (guidanceScale > 1 || (parts.length === 1 && parts[0]!.weight === 1)) return;
  throw new OptionError(
    'OPTION_CONFLICT',
    'AND and weights of whole prompts need guidance, which is off',
    'Give guidanceScale more than 1, or write one prompt without a weight at its end',
    { details: { option: 'guidanceScale', found: guidanceScale } },
  );
};

/** The face networks that find the face of `init.mask`: those of the first adapter that has some, references first. */
const facesOf = (
  { init }: RunSettings,
  references: Run['references'],
  adapters: ReadonlyMap<string, Adapter>,
): Pick<Run, 'faces' | 'facesBy'> => {
  if (init?.mask !== 'face') return { faces: undefined };
  const own = references.map(({ adapter }) => adapter);
  const adapter = [...own, ...adapters.values()].find((one) => adapterParts(one).faces);
  if (adapter) return { faces: adapterParts(adapter).faces, ...(!own.includes(adapter) && { facesBy: adapter }) };
  throw new FaceError(
    'FACE_MODEL_MISSING',
    'init.mask is "face" and no attached adapter has face networks',
    'Attach an adapter with face: { detector, recognizer }, or give a picture as mask',
    { details: { option: 'init.mask' } },
  );
};

/** A UNet that reads a mask has to be given one. */
const checkInpainting = ({ init }: RunSettings, model: Model): void => {
  if (!model.readsMask || init?.mask !== undefined) return;
  throw new OptionError(
    'OPTION_CONFLICT',
    `${quoted(model.name)} is an inpainting model: it paints into a picture, and the run has no init.mask`,
    'Give init with image and mask, or load the text-to-image model of the same family',
    { details: { option: 'init.mask' } },
  );
};

/** Everything that can be wrong with a run and needs no work to be found. */
export const checkedRun = (
  settings: RunSettings,
  attached: Attached,
  how: { readonly logger: Logger | undefined; readonly strict: boolean },
): Run => {
  const { model, adapters, controlNets, loras, companions } = attached;
  const warnings: Warning[] = [];
  const warn = warner((warning) => warnings.push(warning), how.logger, how.strict);
  const { sampler, schedule: sigmas, zeroSnr, eta } = settings;
  const acts = traitsOf(sampler);
  if (eta !== undefined && !acts.eta) warn('OPTION_CONFLICT', `eta has no effect: sampler ${sampler} does not know it`);
  if (sigmas !== undefined && sigmas !== 'default' && !acts.schedule) {
    warn('OPTION_CONFLICT', `schedule has no effect: sampler ${sampler} has its own`);
  }
  checkClipSkip(settings, model);
  checkInpainting(settings, model);
  if (settings.init) warnOfInit(settings.init, warn);
  for (const name of ['prompt2', 'negativePrompt2', 'size'] as const)
    if (settings[name] !== undefined && !model.isXl) warn('OPTION_CONFLICT', `${name} has no effect: it is SDXL's`);
  const named = [...loras.keys(), ...companionNames(adapters.values())];
  const passes = passesOf(settings, model, (steps) =>
    wordings(settings, { steps, attached: named, words: attached.words }),
  );
  warnOfPasses([...settings.references, ...settings.controls], passes, warn);
  const [base] = passes; // prompts of the others differ in their steps alone
  checkParts(settings, base.prompt);
  checkLess(settings, base.prompt, warn);
  const remarks = [base.prompt, base.negative].flatMap((one) => one?.remarks ?? []);
  for (const remark of new Set(remarks)) warn('PROMPT_SYNTAX', remark);
  const references = settings.references.map((reference) => {
    const adapter = chosenOne(reference.adapter, reference.option, 'adapter', adapterChoice(adapters));
    checkReference(reference, adapterParts(adapter), settings.guidanceScale > 1, warn);
    influencesOf(reference, model.unet.info.sites ?? []);
    return { settings: reference, adapter };
  });
  const steered = settings.controls.map((control) => {
    const net = chosenOne(control.controlNet, control.option, 'controlNet', controlChoice(controlNets));
    checkControl(control, net, settings.guidanceScale > 1, warn);
    return { settings: control, net };
  });
  const asked = {
    loras: settings.loras,
    uses: [base.prompt, base.negative].flatMap((one) => one?.loras ?? []),
    references,
  };
  const plan = loraPlan({ loras, adapters, companions }, asked, warn);
  if (zeroSnr && base.strength === 1 && base.schedule.sigmas[0]! < WITHOUT_SIGNAL)
    warn('OPTION_CONFLICT', 'zeroSnr hardly acts: these steps begin with signal left; give spacing "trailing"');
  return {
    settings,
    passes,
    words: settings.promptSyntax === 'plain' ? [] : attached.words,
    ...facesOf(settings, references, adapters),
    references,
    controls: steered,
    ...plan,
    warnings,
    warn,
  };
};
