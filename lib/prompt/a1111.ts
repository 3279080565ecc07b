import { composed, hasAnd } from './composition.js';
import { checkRest, loraUses, withoutDirectives } from './directives.js';
import { editedPrompt } from './edits.js';
import { weighted } from './weighting.js';
import { limitParts, limitTexts, type Part, type Wording } from './wording.js';

/** The AUTOMATIC1111 web UI's: directives count for the whole run, then AND, then changes over the steps, then emphasis. */
export const a1111Wording = (
  prompt: string,
  {
    steps,
    attached,
    isNegative,
  }: { readonly steps: number; readonly attached: readonly string[]; readonly isNegative: boolean },
): Wording => {
  const { text, found } = withoutDirectives(prompt.replace(/^#.*$/gm, ''));
  checkRest(text);
  const loras = loraUses(found, attached);
  const remarks: string[] = [];
  if (isNegative && hasAnd(text)) remarks.push('AND in a negative prompt joins nothing: it is read as a word');
  const cut = isNegative ? [{ text, weight: 1, weighted: false }] : composed(text);
  limitParts(cut.length);
  if (cut.length === 1 && cut[0]!.weighted)
    remarks.push(
      `The prompt ends with the weight ${cut[0]!.weight}, which multiplies guidance; put a comma behind a number that is text`,
    );
  let count = 0;
  const parts = cut.map((part): Part => {
    const edited = editedPrompt(part.text, steps);
    remarks.push(...edited.remarks);
    count += edited.texts.length;
    limitTexts(count);
    const texts = edited.texts.map((one) => ({ fragments: [weighted(one)] }));
    return { weight: part.weight, texts, steps: edited.steps };
  });
  return { parts, loras, remarks };
};
