// From prompts to what the step loop is told: which texts are encoded, and which of them each step reads.
import t, { type Test } from 'tap';
import type { GenerateOptions } from '../../../lib/index.js';
import { loadPipelineWith } from '../../../lib/pipeline.js';
import { fakeEngine } from '../fake-engine.js';
import { digestOf, failure, opened, scene, sketch } from '../sketch.js';

const faked = async (test: Test) => {
  const fake = fakeEngine();
  const pipe = await loadPipelineWith(() => fake.host, sketch.path, {});
  test.teardown(() => pipe.dispose());
  return { fake, pipe };
};

const run: GenerateOptions = { prompt: 'a', width: 64, height: 64, steps: 4, seed: 1 };
const encodings = (calls: readonly string[]): number => calls.filter((call) => call.startsWith('encodeText')).length;

t.test('each distinct text is encoded once, each step told its own', async (test) => {
  const { fake, pipe } = await faked(test);
  await pipe.generate({ ...run, prompt: 'a [man|woman]', negativePrompt: '[hair:blue:1]', sampler: 'heun' });
  const { texts, rows } = fake.samples[0]!;
  test.equal(encodings(fake.calls), 4);
  test.equal(texts!.conditions.length, 4);
  test.ok(rows.length > 4, 'a step of Heun calls the network twice');
  test.same(texts!.weights, [1]);
  test.same(texts!.steps, [
    [2, 0],
    [3, 1],
    [3, 0],
    [3, 1],
  ]);
});

t.test("AND is a row more, and is the record's as it was written", async (test) => {
  const { fake, pipe } = await faked(test);
  const { images } = await pipe.generate({ ...run, prompt: 'a man AND hair :-0.5 AND a man' });
  test.same(fake.samples[0]!.texts!.weights, [1, -0.5, 1]);
  test.same(fake.samples[0]!.texts!.steps[0], [3, 0, 1, 2]);
  test.equal(encodings(fake.calls), 4, 'another space is another text');
  test.match(await failure(pipe.generate({ ...run, prompt: 'a AND b', guidanceScale: 1 })), {
    code: 'OPTION_CONFLICT',
  });
  test.ok(images.length === 1);
});

t.test('a prompt that stays the same is told as ever', async (test) => {
  const { fake, pipe } = await faked(test);
  for (const prompt of ['a man', '[a man:b:9]', '[a man|a man]']) await pipe.generate({ ...run, prompt });
  for (const spec of fake.samples) test.ok(spec.texts === undefined && spec.context && spec.negativeContext);
});

t.test("what a prompt's syntax does not know is warned of", async (test) => {
  const { pipe } = await faked(test);
  const said = async (options: Partial<GenerateOptions>) =>
    (await pipe.generate({ ...run, ...options })).warnings.map(({ code, message }) => `${code} ${message}`).join(' ');
  test.match(await said({ prompt: 'a [man:woman]' }), /^PROMPT_SYNTAX The bracket/);
  test.match(await said({ negativePrompt: 'a AND b' }), /^PROMPT_SYNTAX AND in a negative prompt/);
  test.match(await said({ prompt: 'a (man', promptSyntax: 'comfyui' }), /no partner/);
  test.match(await said({ prompt: 'a <lora:x:1>', promptSyntax: 'compel' }), /is not known to promptSyntax compel/);
  test.equal(await said({ prompt: 'a [man:woman:2] <b:>' }), '');
  test.match(await failure(pipe.generate({ ...run, prompt: 'a cat.swap(dog)', promptSyntax: 'compel' })), {
    code: 'OPTION_RANGE',
  });
});

t.test('pictures: a change shows from its step on, a sum of one text is that text', async (test) => {
  const pipe = await opened(test);
  const drawn = async (prompt: string) => (await pipe.generate({ ...scene, prompt })).images[0]!.data;
  const [man, woman, changed] = [await drawn('a man'), await drawn('a woman'), await drawn('a [man:woman:4]')];
  test.not(digestOf(changed), digestOf(man));
  test.not(digestOf(changed), digestOf(woman));
  test.equal(digestOf(await drawn('a [man:woman:0]')), digestOf(woman));
  test.equal(digestOf(await drawn('a [man:woman:8]')), digestOf(man));
  const summed = await drawn('a man :0.5 AND a man :0.5');
  const far = summed.reduce((most, value, i) => Math.max(most, Math.abs(value - man[i]!)), 0);
  test.ok(far <= 2, `rounded after each of the two, ${far} of 255`);
});
