// SDXL's own: two text encoders, sizes, an absent negative prompt; folders and checkpoint files of both families alike.
import { join } from 'node:path';
import t from 'tap';
import { type GenerateOptions, Pipeline, readMetadata } from '../../../lib/index.js';
import { writeLdmFile } from '../ldm-file.js';
import { adapterFile, encoderFolder, modelFolder, scratch } from '../made/models.js';
import { digestOf, failure, reference } from '../sketch.js';

const folder = scratch();
const paths = { sd15: await modelFolder(folder, 'sd15'), sdxl: await modelFolder(folder, 'sdxl') };

const scene: GenerateOptions = {
  prompt: 'portrait of a woman',
  width: 128,
  height: 64,
  steps: 2,
  seed: 5,
  guidanceScale: 4,
};

const drawn = async (pipe: Pipeline, options: Partial<GenerateOptions> = {}): Promise<string> => {
  const { images } = await pipe.generate({ ...scene, ...options });
  return digestOf(images[0]!.data);
};

for (const family of ['sd15', 'sdxl'] as const)
  t.test(`a checkpoint file of ${family} draws what its folder draws, with an adapter too`, async (test) => {
    const file = join(folder, `${family}.safetensors`);
    writeLdmFile(paths[family], file);
    const encoder = encoderFolder(folder, { hidden: 64, projection: 48 });
    const adapter = adapterFile(
      join(folder, `plus-${family}.safetensors`),
      { projector: 'resampler', encoder: 64, tokens: 16 },
      family,
    );
    const pictures: string[][] = [];
    for (const path of [paths[family], file]) {
      await using pipe = await Pipeline.load(path);
      await pipe.addAdapter(adapter, { encoder });
      const references = [{ image: reference('person-1-1.png') }];
      pictures.push([await drawn(pipe, { negativePrompt: '' }), await drawn(pipe, { negativePrompt: '', references })]);
    }
    test.same(pictures[1], pictures[0]);
    test.not(pictures[0]![0], pictures[0]![1], 'the adapter acts');
  });

t.test('what SDXL is told beside the prompt', async (test) => {
  const pipe = await Pipeline.load(paths.sdxl);
  test.teardown(() => pipe.dispose());
  const plain = await drawn(pipe);

  await test.test('an absent negative prompt is not an empty one', async (sub) => {
    sub.not(await drawn(pipe, { negativePrompt: '' }), plain);
  });

  await test.test('prompts of the second encoder', async (sub) => {
    sub.equal(await drawn(pipe, { prompt2: scene.prompt }), plain, 'the first is the default');
    const other = await drawn(pipe, { prompt2: 'a red barn' });
    sub.not(other, plain);
    sub.not(await drawn(pipe, { prompt: 'a red barn' }), other, 'one encoder reads one, one the other');
    sub.equal(
      await drawn(pipe, { prompt: 'a red barn', prompt2: 'a red barn' }),
      await drawn(pipe, { prompt: 'a red barn' }),
    );
    const against = await drawn(pipe, { negativePrompt: 'blurry' });
    sub.equal(await drawn(pipe, { negativePrompt: 'blurry', negativePrompt2: 'blurry' }), against);
    sub.not(await drawn(pipe, { negativePrompt: 'blurry', negativePrompt2: 'grey' }), against);
    const alone = await drawn(pipe, { negativePrompt2: 'blurry' });
    sub.equal(
      await drawn(pipe, { negativePrompt: '', negativePrompt2: 'blurry' }),
      alone,
      'the other reads an empty one',
    );
    const long = `${'a very long sentence, '.repeat(30)}end`; // more windows than the first prompt
    sub.not(await drawn(pipe, { prompt2: long }), plain);
  });

  await test.test('sizes', async (sub) => {
    sub.equal(await drawn(pipe, { size: { original: [128, 64], crop: [0, 0], target: [128, 64] } }), plain, 'defaults');
    const seen = new Set([plain]);
    for (const size of [
      { original: [64, 128] },
      { original: [512, 512] },
      { crop: [32, 0] },
      { crop: [0, 32] },
      { target: [64, 128] },
      { negative: { original: [512, 512] } },
    ] as const)
      seen.add(await drawn(pipe, { size }));
    sub.equal(seen.size, 7, 'each acts in its own way');
    const same = { original: [512, 512], negative: { original: [512, 512] } } as const;
    sub.equal(await drawn(pipe, { size: same }), await drawn(pipe, { size: { original: [512, 512] } }));
    for (const size of [
      { original: [0, 64] },
      { crop: [-1, 0] },
      { target: [1.5, 64] },
      { original: [1, 2, 3] },
      { negative: { crop: [1, 1e9] } },
    ])
      sub.equal((await failure(pipe.generate({ ...scene, size } as never))).code, 'OPTION_RANGE', JSON.stringify(size));
    for (const size of [{ original: 64 }, 5, { negative: 3 }])
      sub.equal((await failure(pipe.generate({ ...scene, size } as never))).code, 'OPTION_TYPE', JSON.stringify(size));
    for (const size of [{ orignal: [1, 1] }, { negative: { negative: {} } }])
      sub.equal((await failure(pipe.generate({ ...scene, size } as never))).code, 'OPTION_UNKNOWN');
  });

  await test.test('the record has them', async (sub) => {
    const size = { original: [512, 256], negative: { crop: [1, 2] } } as const;
    const { images } = await pipe.generate({ ...scene, prompt2: 'a red barn', negativePrompt2: 'grey', size });
    const { record } = await readMetadata(await images[0]!.toBuffer());
    sub.match(record, { prompt2: 'a red barn', negativePrompt2: 'grey', size });
  });
});

t.test('on SD1.5 they have no effect, which is said', async (test) => {
  await using pipe = await Pipeline.load(paths.sd15);
  const { images, warnings } = await pipe.generate({
    ...scene,
    prompt2: 'x',
    negativePrompt2: 'y',
    size: { crop: [1, 1] },
  });
  test.equal(digestOf(images[0]!.data), await drawn(pipe));
  test.same(
    warnings.map(({ code, message }) => `${code} ${message.split(' ')[0]}`),
    ['OPTION_CONFLICT prompt2', 'OPTION_CONFLICT negativePrompt2', 'OPTION_CONFLICT size'],
  );
});
