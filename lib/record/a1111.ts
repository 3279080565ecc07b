import { foreignName } from '../schedulers/names.js';

/** What a text of another tool says, in our options, and what it names that has no option or needs a file. */
export interface ForeignSettings {
  /** Options of `generate`. LoRA directives stay in the prompt. */
  readonly options: Readonly<Record<string, unknown>>;
  /** What was named and is not taken, as it stands there. */
  readonly notTaken: readonly string[];
}

// name: value, … with values of JSON strings where they hold commas. source: AUTOMATIC1111 web UI, "parameters"
const FIELD = /\s*([\w][\w \-/]*):\s*("(?:\\.|[^"\\])*"|[^,]*)(?:,|$)/g;
const SETTINGS = /^Steps: \d+/;
const NEGATIVE = 'Negative prompt:';

const unquoted = (text: string): string => {
  if (!text.startsWith('"')) return text.trim();
  try {
    return String(JSON.parse(text));
  } catch {
    return text;
  }
};

const number =
  (option: string) =>
  (text: string): object | undefined =>
    text !== '' && Number.isFinite(Number(text)) ? { [option]: Number(text) } : undefined;

/** Its fields → our options; undefined: not understood, or not exactly that. */
const FIELDS: Readonly<Record<string, (text: string) => object | undefined>> = {
  Steps: number('steps'),
  'CFG scale': number('guidanceScale'),
  Eta: number('eta'),
  // a seed means the noise of the tool that it was drawn with
  Seed: (text) => (/^\d{1,19}$/.test(text) ? { seed: BigInt(text), noise: 'a1111' } : undefined),
  Size: (text) => {
    const [, width, height] = /^(\d+)x(\d+)$/.exec(text) ?? [];
    return width === undefined ? undefined : { width: Number(width), height: Number(height) };
  },
  // it counts from 1, the last layer
  'Clip skip': (text) => (/^[1-9]\d?$/.test(text) ? { clipSkip: Number(text) - 1 } : undefined),
  Sampler: (text) => {
    const { nearest, ...exact } = foreignName('sampler', text) ?? { nearest: true };
    return nearest ? undefined : exact;
  },
  'Schedule type': (text) => foreignName('schedule', text),
};

/** Fields of a second pass. */
const HIRES: readonly string[] = ['Denoising strength', 'Hires upscale', 'Hires steps', 'Hires upscaler'];
const UPSCALERS: Readonly<Record<string, string>> = { Latent: 'latent', Lanczos: 'lanczos' };

/** The second pass of these fields; undefined where there is none, or none that is exactly that. */
const hiresOf = (fields: ReadonlyMap<string, string>): object | undefined => {
  const [strength, scale, steps, upscaler] = HIRES.map((name) => fields.get(name));
  const known = upscaler !== undefined && Object.hasOwn(UPSCALERS, upscaler) ? UPSCALERS[upscaler] : undefined;
  const numbers = [scale, strength, steps ?? '0'].map((text) => (text ? Number(text) : Number.NaN));
  if (known === undefined || !numbers.every(Number.isFinite)) return undefined;
  return { scale: numbers[0], strength: numbers[1], steps: numbers[2], upscaler: known };
};

/** Reads the text `parameters` of the AUTOMATIC1111 web UI. */
export const fromParameters = (parameters: string): ForeignSettings => {
  const lines = parameters.split('\n');
  const last = lines.findLastIndex((line) => SETTINGS.test(line));
  const words = last < 0 ? lines : lines.slice(0, last);
  const split = words.findIndex((line) => line.startsWith(NEGATIVE));
  const prompt = (split < 0 ? words : words.slice(0, split)).join('\n').trim();
  const negativePrompt = split < 0 ? '' : words.slice(split).join('\n').slice(NEGATIVE.length).trim();
  const options: Record<string, unknown> = { prompt, ...(negativePrompt !== '' && { negativePrompt }) };
  const notTaken: string[] = last < 0 ? [] : lines.slice(last + 1).filter((line) => line.trim() !== '');
  const fields = [...(lines[last] ?? '').matchAll(FIELD)].map(([, name, value]): [string, string] => [
    name!,
    unquoted(value!),
  ]);
  const hires = hiresOf(new Map(fields));
  if (hires) options.hires = hires;
  for (const [name, value] of fields) {
    const known = Object.hasOwn(FIELDS, name) ? FIELDS[name]!(value) : undefined;
    if (known) Object.assign(options, known);
    else if (!hires || !HIRES.includes(name)) notTaken.push(`${name}: ${value}`);
  }
  return { options, notTaken };
};
