import { ModelFileError, ModelMismatchError, quoted } from '../errors.js';

const part = (folder: string): string =>
  `It is one part of a model: put it into the ${folder} folder of a diffusers folder and load that`;

/** Which call takes each kind of file; kinds as `inspect` names them. */
const TAKEN_BY = {
  'Stable Diffusion checkpoint': 'It is a base model: Pipeline.load(file)',
  'SDXL checkpoint': 'It is a base model: Pipeline.load(file)',
  UNet: part('unet'),
  VAE: 'It is one part of a model: Pipeline.load(model, { vae: file })',
  'text encoder': part('text_encoder'),
  'image encoder': 'It belongs to an adapter: pipe.addAdapter(file, { encoder })',
  'IP-Adapter': 'Attach it to a base model: pipe.addAdapter(file)',
  LoRA: 'Attach it to a base model: pipe.addLora(file)',
  ControlNet: 'Attach it to a base model: pipe.addControlNet(file)',
  'text embedding': 'Attach it to a base model: pipe.addTextEmbedding(file)',
  'T2I-Adapter': 'Attach it to a base model: pipe.addControlNet(file)',
} as const;

type Kind = keyof typeof TAKEN_BY;

type Refusal = [message: string, hint: string, more: { details: Record<string, unknown> }];

/** What each call and option takes, and its error for anything else. */
const CALLS = {
  load: {
    what: 'base model',
    kinds: ['Stable Diffusion checkpoint', 'SDXL checkpoint'],
    refuse: (...given: Refusal) => new ModelFileError('MODEL_FORMAT_UNSUPPORTED', ...given),
  },
  vae: {
    what: 'VAE',
    kinds: ['VAE', 'Stable Diffusion checkpoint', 'SDXL checkpoint'],
    refuse: (...given: Refusal) => new ModelFileError('MODEL_FORMAT_UNSUPPORTED', ...given),
  },
  addAdapter: {
    what: 'IP-Adapter',
    kinds: ['IP-Adapter'],
    refuse: (...given: Refusal) => new ModelMismatchError('ADAPTER_UNKNOWN', ...given),
  },
  addControlNet: {
    what: 'ControlNet or T2I-Adapter',
    kinds: ['ControlNet', 'T2I-Adapter'],
    refuse: (...given: Refusal) => new ModelMismatchError('ADAPTER_UNKNOWN', ...given),
  },
  addLora: {
    what: 'LoRA',
    kinds: ['LoRA'],
    refuse: (...given: Refusal) => new ModelMismatchError('LORA_KEYS_UNMATCHED', ...given),
  },
  addTextEmbedding: {
    what: 'text embedding',
    kinds: ['text embedding'],
    refuse: (...given: Refusal) => new ModelFileError('MODEL_FORMAT_UNSUPPORTED', ...given),
  },
} as const satisfies Record<string, { what: string; kinds: readonly Kind[]; refuse: (...given: Refusal) => Error }>;

const article = (noun: string): string => (/^(?:[AEIO]|SDXL)/i.test(noun) ? 'an' : 'a');

/**
 * Refuses a file that is known to be something else than what a call takes, and says which call takes it. A kind that is
 * not known passes: the reader has its own words for it.
 */
export const checkKind = (path: string, found: string, call: keyof typeof CALLS): void => {
  const { what, kinds, refuse } = CALLS[call];
  const plain = found.replace(/ \((SD1\.5|SDXL|SD2\.x)\)$/, '');
  if (!Object.hasOwn(TAKEN_BY, plain) || kinds.some((kind) => kind === plain)) return;
  throw refuse(`${quoted(path)} is no ${what}: it is ${article(found)} ${found}`, TAKEN_BY[plain as Kind], {
    details: { path, found, expected: what },
  });
};
