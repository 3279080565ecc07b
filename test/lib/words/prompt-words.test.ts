// Names of text embeddings among the tokens of prompts, and where their vectors stand in windows.
import t from 'tap';
import {
  chunksOf,
  type PromptSyntax,
  type PromptWord,
  publicTokenizer,
  sameWord,
  syntaxOf,
  wordingOf,
} from '../../../lib/prompt/index.js';
import { leafOf } from '../prompt/leaf.js';

const tokenizer = await publicTokenizer();
const word = (name: string, count = 1): PromptWord => ({ name, count, towers: [], sha256: '' });
const placed = (prompt: string, words: readonly PromptWord[]) => chunksOf(tokenizer, leafOf(prompt, 'a1111'), words);
/** Names and places, window by window. */
const places = (prompt: string, words: readonly PromptWord[]): string[][] =>
  placed(prompt, words).map((chunk) => chunk.words.map(({ word: { name }, at }) => `${name} ${at}`));

t.test('a name is found as tokens, whatever its capitals, the longest first', async (test) => {
  const words = [word('ink'), word('ink wash', 2), word('My-Cat', 3)];
  test.same(places('an ink, an ink wash, my-cat and INK', words), [['ink 2', 'ink wash 5', 'My-Cat 8', 'ink 12']]);
  test.same(places('inkling, think', words), [[]], 'parts of words are no names');
  test.ok(sameWord(tokenizer, 'My-Cat', 'my-cat'));
  test.notOk(sameWord(tokenizer, 'my-cat', 'my cat'));
});

t.test('a name with punctuation at its ends is found next to other punctuation', async (test) => {
  const words = [word('<cat-toy>', 2), word('a.b*', 1)];
  test.same(places('a <cat-toy>, "<CAT-TOY>".', words), [['<cat-toy> 2', '<cat-toy> 6']]);
  test.same(places('(a.b*), ba.b*', words), [['a.b* 1']], 'its letters begin a word, its signs stand for themselves');
});

t.test('ids and weights: as many places as vectors, each with its weight', async (test) => {
  const words = [word('ink', 3)];
  const [chunk] = placed('a (big ink:1.5) [ink] cat', words);
  const ids = tokenizer.ids('a big cat');
  test.same(chunk!.ids.slice(0, 11), [tokenizer.bos, ids[0], ids[1], 0, 0, 0, 0, 0, 0, ids[2], tokenizer.eos]);
  const less = 1 / 1.1;
  test.same(chunk!.weights.slice(0, 11), [1, 1, 1.5, 1.5, 1.5, 1.5, less, less, less, 1, 1]);
  test.same(
    chunk!.words.map(({ at }) => at),
    [3, 6],
  );
});

const cats = (count: number): string => new Array(count).fill('cat').join(' ');

t.test('words that have no room begin the next window', async (test) => {
  test.same(places(`${cats(72)} ink`, [word('ink', 3)]), [['ink 73']], 'it just fits');
  test.same(places(`${cats(73)} ink dog`, [word('ink', 3)]), [[], ['ink 1']]);
  const [first, second] = placed(`${cats(73)} ink dog`, [word('ink', 3)]);
  test.equal(first!.ids.indexOf(tokenizer.eos), 74, 'the first one ends early');
  test.equal(second!.ids[4], tokenizer.ids('dog')[0]);
  test.same(places(`${cats(75)} ink`, [word('ink', 75)]), [[], ['ink 1']], 'a whole window');
  test.same(places('cat ink dog', [word('ink', 75)]), [[], ['ink 1'], []]);
  test.same(places('ink BREAK ink', [word('ink', 2)]), [['ink 1'], ['ink 1']]);
});

t.test('what moves on after a comma takes its words along', async (test) => {
  // 60 tokens, a comma, 3 vectors and 11 tokens fill the window; the next token moves all after the comma
  const prompt = `${cats(60)}, ink ${cats(12)}`;
  test.same(places(prompt, [word('ink', 3)]), [[], ['ink 1']]);
  test.same(places(`${cats(60)}, ink ${cats(11)}`, [word('ink', 3)]), [['ink 62']], 'one less: it stays');
});

/** The same in other syntaxes, with the vectors that are there. */
const parts = (prompt: string, syntax: PromptSyntax, words: readonly PromptWord[]): string[][] =>
  syntaxOf(syntax)
    .windows(tokenizer, leafOf(prompt, syntax), words)
    .chunks.map((chunk) =>
      chunk.words.map(({ word: { name }, at, first, count }) => `${name} ${at}: ${first}+${count}`),
    );

t.test('comfyui: embedding:name, with commas behind it; eight vectors may be split', async (test) => {
  const words = [word('ink', 2), word('long', 8), word('my(cat)')];
  const prompt = 'an ink, (embedding:INK:1.2), embedding:my\\(cat\\),\nembedding:long';
  const [chunk] = syntaxOf('comfyui').windows(tokenizer, leafOf(prompt, 'comfyui'), words).chunks;
  test.same(parts(prompt, 'comfyui', words), [['ink 4: 0+2', 'my(cat) 7: 0+1', 'long 9: 0+8']]);
  test.same(chunk!.ids.slice(1, 9), [...tokenizer.ids('an ink,'), 0, 0, ...tokenizer.ids(', '), 0, tokenizer.comma]);
  test.same(chunk!.weights.slice(4, 7), [1.2, 1.2, 1]);
  test.same(parts(`${cats(74)} embedding:ink`, 'comfyui', words), [[], ['ink 1: 0+2']]);
  test.same(parts(`${cats(72)} embedding:long`, 'comfyui', words), [['long 73: 0+3'], ['long 1: 3+5']]);
  test.same(parts('embedding:ink embedding:ink', 'comfyui', words), [['ink 1: 0+2', 'ink 3: 0+2']]);
  const remarks = (prompt: string) =>
    wordingOf(prompt, 'comfyui', { steps: 1, attached: [], words, isNegative: false }).remarks;
  test.match(remarks('an embedding:inks, embedding:no'), [/"embedding:inks,"/], 'the first one that there is not');
  test.same(remarks('an embedding:ink,, hat'), []);
  test.same(parts('an embedding:inks', 'comfyui', words), [[]]);
});

t.test('compel: by name, as tokens; they fade with their words, and windows are filled', async (test) => {
  const words = [word('ink', 3), word('<toy>')];
  test.same(parts('an ink+, <TOY>', 'compel', words), [['ink 2: 0+3', '<toy> 6: 0+1']]);
  const { chunks, faded } = syntaxOf('compel').windows(tokenizer, leafOf('an (big ink)0.5', 'compel'), words);
  test.same(faded, [{ weight: 0.5, runs: [{ chunk: 0, first: 2, count: 4 }] }]);
  test.same(chunks[0]!.weights.slice(0, 7), [1, 1, 0.5, 0.5, 0.5, 0.5, 1]);
  test.same(parts(`${cats(74)} ink`, 'compel', words), [['ink 75: 0+1'], ['ink 1: 1+2']]);
});

t.test('without words and in plain syntax prompts are what they were', async (test) => {
  const fragments = leafOf('a (big ink:1.5) cat', 'a1111');
  test.same(chunksOf(tokenizer, fragments, [word('dog')]), chunksOf(tokenizer, fragments));
});
