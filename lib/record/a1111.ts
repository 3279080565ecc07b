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
  for (const [, name, value] of (lines[last] ?? '').matchAll(FIELD)) {
    const known = Object.hasOwn(FIELDS, name!) ? FIELDS[name!]!(unquoted(value!)) : undefined;
    if (known) Object.assign(options, known);
    else notTaken.push(`${name}: ${unquoted(value!)}`);
  }
  return { options, notTaken };
};
