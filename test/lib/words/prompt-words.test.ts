// Names of text embeddings among the tokens of prompts, and where their vectors stand in windows.
import t from 'tap';
import { chunksOf, type PromptWord, publicTokenizer, sameWord } from '../../../lib/prompt/index.js';
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

t.test('without words and in plain syntax prompts are what they were', async (test) => {
  const fragments = leafOf('a (big ink:1.5) cat', 'a1111');
  test.same(chunksOf(tokenizer, fragments, [word('dog')]), chunksOf(tokenizer, fragments));
});
