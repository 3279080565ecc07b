// Changes over the steps, AND and their weights: vectors of the AUTOMATIC1111 web UI.
import t from 'tap';
import { type Text, wordingOf } from '../../../lib/prompt/index.js';

const read = (prompt: string, { steps = 10, isNegative = false } = {}) =>
  wordingOf(prompt, 'a1111', { steps, attached: ['ink'], isNegative });

const saidBy = (text: Text): string => ('fragments' in text ? text.fragments[0]!.map((one) => one.text).join('') : '');

/** Texts with their weights taken off, and for each the last step in which it is in force. */
const schedule = (prompt: string): [number, string][] => {
  const { texts, steps } = read(prompt).parts[0]!;
  const said = texts.map(saidBy);
  return steps.flatMap((text, i) => (steps[i + 1] === text ? [] : [[i + 1, said[text]!] as [number, string]]));
};

const SAME: [prompt: string, ...schedule: [number, string][]][] = [
  ['test', [10, 'test']],
  ['a [b:3]', [3, 'a '], [10, 'a b']],
  ['a [b: 3]', [3, 'a '], [10, 'a b']],
  ['a [b : c : 1] d', [1, 'a b  d'], [10, 'a  c  d']],
  ['a[b:[c:d:2]:1]e', [1, 'abe'], [2, 'ace'], [10, 'ade']],
  ['a [b:.5] c', [5, 'a  c'], [10, 'a b c']],
  ['a [b:c:0.37]', [3, 'a b'], [10, 'a c']],
  ['a [b:c:1.0]', [10, 'a b']],
  ['a [b:c:0]', [10, 'a c']],
  ['a [b:c:99]', [10, 'a b']],
  ['a [b::4] c', [4, 'a b c'], [10, 'a  c']],
  ['[(a:2):3]', [3, ''], [10, 'a']],
  ['((a)[:b:c [d:3]', [3, 'a:b:c '], [10, 'a:b:c d']],
  ['[[b:3]|c]', [1, ''], [2, 'c'], [3, ''], [4, 'c'], [5, 'b'], [6, 'c'], [7, 'b'], [8, 'c'], [9, 'b'], [10, 'c']],
  ['\\[a:b:3\\]', [10, '[a:b:3]']],
];

t.test('prompt editing', async (test) => {
  for (const [prompt, ...want] of SAME) test.same(schedule(prompt), want, prompt);
});

t.test('alternation takes the next word in every step', async (test) => {
  const words = (prompt: string) => {
    const { texts, steps } = read(prompt, { steps: 5 }).parts[0]!;
    return steps.map((i) => saidBy(texts[i]!));
  };
  test.same(words('[fe|]male'), ['female', 'male', 'female', 'male', 'female']);
  test.same(words('[a|b|c]'), ['a', 'b', 'c', 'a', 'b']);
});

t.test('emphasis is read after editing', async (test) => {
  const { texts } = read('[(a:2):(b:0.5):3]').parts[0]!;
  test.same(texts, [{ fragments: [[{ text: 'a', weight: 2 }]] }, { fragments: [[{ text: 'b', weight: 0.5 }]] }]);
});

t.test('AND joins texts with weights, in the prompt only', async (test) => {
  const parts = (prompt: string) => read(prompt).parts.map(({ weight, texts }) => [weight, texts.length]);
  test.same(parts('a cat AND a [big:small:3] dog :0.8 AND sky :-.5'), [
    [1, 1],
    [0.8, 2],
    [-0.5, 1],
  ]);
  test.same(parts('a BAND of ANDs'), [[1, 1]]);
  test.same(read('a cat AND a dog').remarks, []);
  test.match(read('a cat :0.8'), { parts: [{ weight: 0.8 }], remarks: [/weight 0.8/] });
  const negative = read('blurry AND dark :0.8', { isNegative: true });
  test.match(negative, { parts: [{ weight: 1 }], remarks: [/AND in a negative prompt/] });
  test.match(read('[a:b:3]', { isNegative: true }).parts[0], { steps: [0, 0, 0, 1, 1, 1, 1, 1, 1, 1] });
});

t.test('directives count for the whole run', async (test) => {
  test.match(read('[a <lora:ink:0.5>:b:3] AND c'), { loras: [{ name: 'ink', scale: 0.5 }], parts: [{}, {}] });
});

t.test('a line that begins with # is a comment', async (test) => {
  test.same(schedule('a\n#[b:3]\nc'), [[10, 'a\n\nc']]);
});

t.test('what is not understood is said', async (test) => {
  const said = (prompt: string) => read(prompt).remarks.join(' ');
  for (const prompt of ['a [b', 'a b]', 'a (b', 'a b)', '[a:b]', '[a:b:c:3]', '[a:b:c]', '[a:b|c]', '[a (b:c:d):3]'])
    test.match(said(prompt), /bracket at "/, prompt);
  test.match(said('a | b [c:3]'), /no \[ \] of the prompt is read as a change/);
  test.match(said('[a:3] \\'), /backslash/);
  for (const prompt of ['a [b] (c:1.2) ((d))', '(16:9:1.2)', 'a | b', '[a|b]', '[a:b:3]', '\\(a\\)'])
    test.equal(said(prompt), '', prompt);
});

t.test('too many texts are refused', async (test) => {
  const many = Array.from({ length: 65 }, (_, i) => `w${i}`);
  test.throws(() => read(`[${many.join('|')}]`, { steps: 100 }), { code: 'OPTION_RANGE', details: { expected: 64 } });
  test.equal(read(`[${many.join('|')}]`, { steps: 64 }).parts[0]!.texts.length, 64);
  test.throws(() => read(many.join(' AND ')), { code: 'OPTION_RANGE', details: { expected: 8 } });
  const deep = `${'['.repeat(20_000)}a${':3]'.repeat(20_000)}`;
  test.equal(read(deep).parts[0]!.texts.length, 2, 'nesting has no bottom');
});
