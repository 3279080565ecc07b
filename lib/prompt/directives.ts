import { nearest, OptionError, quoted } from '../errors.js';

/** `<name:args>` of a prompt: arguments between colons, those with `=` by name. */
export interface Directive {
  readonly name: string;
  readonly args: readonly string[];
  readonly named: Readonly<Record<string, string>>;
}

const OPENING = /<([\p{L}\p{N}_]+):/gu;

const malformed = (source: string, why: string): OptionError =>
  new OptionError('OPTION_RANGE', `The directive ${quoted(source)} of the prompt ${why}`, 'Write <lora:name:0.8>', {
    details: { option: 'prompt', found: source },
  });

/** Takes the directives out of a prompt. One pass: after each opening only the next `>` is looked for. */
export const withoutDirectives = (prompt: string): { readonly text: string; readonly found: readonly Directive[] } => {
  const found: Directive[] = [];
  let text = '';
  let copied = 0;
  OPENING.lastIndex = 0;
  for (let opening = OPENING.exec(prompt); opening; opening = OPENING.exec(prompt)) {
    const close = prompt.indexOf('>', OPENING.lastIndex);
    if (close < 0) break;
    if (close === OPENING.lastIndex) continue; // no arguments: not a directive
    const items = prompt.slice(OPENING.lastIndex, close).split(':');
    const named = items
      .filter((item) => item.includes('='))
      .map((item) => {
        const at = item.indexOf('=');
        return [item.slice(0, at), item.slice(at + 1)] as const;
      });
    found.push({
      name: opening[1]!,
      args: items.filter((item) => !item.includes('=')),
      named: Object.fromEntries(named),
    });
    text += prompt.slice(copied, opening.index);
    copied = close + 1;
    OPENING.lastIndex = copied;
  }
  return { text: text + prompt.slice(copied), found };
};

/** Refuses a `<lora:` that is left in a prompt without its directives: it has no end, or names nothing. */
export const checkRest = (text: string): void => {
  const at = text.indexOf('<lora:');
  if (at < 0) return;
  const end = text.indexOf('>', at);
  if (end < 0) throw malformed(text.slice(at, at + 40), 'has no end');
  throw malformed(text.slice(at, end + 1), 'names no LoRA');
};

/** A LoRA that the prompt asks for. */
export interface LoraUse {
  readonly name: string;
  /** Strength in the text encoders. */
  readonly textScale: number;
  /** Strength in the UNet. */
  readonly scale: number;
  /** Rank limit, when given. */
  readonly rank: number | undefined;
}

/** A directive in the prompt's words; what it names by `=` stands last. */
const written = ({ name, args, named }: Directive): string =>
  `<${[name, ...args, ...Object.entries(named).map(([key, value]) => `${key}=${value}`)].join(':')}>`;

const amount = (value: string, what: string, source: string): number => {
  const number = value.trim() === '' ? Number.NaN : Number(value);
  if (!Number.isFinite(number)) throw malformed(source, `has ${quoted(value)} for ${what}, expected a number`);
  return number;
};

/** The LoRAs named by directives, `<lora:name:text:unet>`. Names are looked up among `attached`; they are never a path. */
export const loraUses = (directives: readonly Directive[], attached: readonly string[]): LoraUse[] =>
  directives.map((directive) => {
    const { name: kind, args, named } = directive;
    if (kind !== 'lora') {
      throw new OptionError(
        'OPTION_UNKNOWN',
        `The prompt has the directive <${kind}:…>, there is only <lora:…>`,
        'Remove it, or set promptSyntax "plain" to keep the text',
        { details: { option: 'prompt', found: kind } },
      );
    }
    const source = written(directive);
    const name = args[0] ?? '';
    if (name.trim() === '') throw malformed(source, 'names no LoRA');
    if (args.length > 3) throw malformed(source, `has ${args.length} parts, expected at most a name and two numbers`);
    const textScale = amount(named.te ?? args[1] ?? '1', 'the text strength', source);
    const scale = amount(named.unet ?? args[2] ?? String(textScale), 'the UNet strength', source);
    const rank = named.dyn === undefined ? undefined : amount(named.dyn, 'dyn', source);
    if (!attached.includes(name)) {
      const near = nearest(name, attached);
      const names =
        attached.length > 0
          ? `Attached are ${attached.map(quoted).join(', ')}`
          : 'Attach it with addLora(file, { name }) first';
      throw new OptionError(
        'OPTION_UNKNOWN',
        `No LoRA named ${quoted(name)} is attached`,
        near ? `Did you mean ${quoted(near)}?` : names,
        { details: { option: 'prompt', found: name } },
      );
    }
    return { name, textScale, scale, rank };
  });
