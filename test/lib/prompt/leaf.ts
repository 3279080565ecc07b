// What a prompt that is one text in all steps says.
import { type Fragment, type PromptSyntax, wordingOf } from '../../../lib/prompt/index.js';

export const leafOf = (prompt: string, syntax: PromptSyntax): readonly Fragment[] => {
  const text = wordingOf(prompt, syntax, { steps: 1, attached: [], isNegative: false }).parts[0]!.texts[0]!;
  if (!('fragments' in text)) throw new Error(`${prompt} is no single text`);
  return text.fragments[0]!;
};
