// Same seed, same bytes; adapters and LoRAs act in the runs that name them and leave nothing behind.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { type GenerateOptions, Pipeline } from '../../lib/index.js';
import { pipelineParts } from '../../lib/pipeline.js';
import { writeLdmFile } from './ldm-file.js';
import { drawn, drawnElsewhere, opened, reference, scene, sketch } from './sketch.js';

const { adapters, face, encoder } = sketch;
const VARIANTS = ['base', 'plus', 'faceid', 'faceid-plusv2', 'faceid-portrait'] as const;
const withLora = ['faceid', 'faceid-plusv2'] as const;
const image = reference('person-5-1.png');

const attach = (pipe: Pipeline, name: (typeof VARIANTS)[number]) =>
  pipe.addAdapter(adapters[name], { name, ...(name.startsWith('faceid') ? { face } : {}) });

/** Digests of the weights of every network of the model. */
const weights = (pipe: Pipeline): string[] => {
  const { unet, vae, text } = pipelineParts(pipe).model;
  return [unet, vae, ...text.map(({ network }) => network)].map((network) => network.digest());
};
const forwards = (pipe: Pipeline): number => pipelineParts(pipe).model.unet.runs('step');

const alone = await Pipeline.load(sketch.path);
const plain = await drawn(alone); // what the scene is without anything attached
t.teardown(() => alone.dispose());

t.test('another seed and another prompt draw another picture', async (test) => {
  test.not(await drawn(alone, { seed: 4 }), plain);
  test.not(await drawn(alone, { prompt: 'portrait of a woman' }), plain);
});

for (const threads of [1, 2, 3]) {
  t.test(`${threads} thread${threads === 1 ? ' draws' : 's draw'} the same bytes`, async (test) => {
    const pipe = await opened(test, { threads });
    test.equal(pipe.info.threads, threads);
    test.equal(await drawn(pipe), plain);
  });
}

t.test('the tenth run draws the bytes of the first, and each executes every UNet forward', async (test) => {
  const pipe = await opened(test);
  for (let i = 1; i <= 10; ++i) {
    const before = forwards(pipe);
    test.equal(await drawn(pipe), plain, `run ${i}`);
    test.equal(forwards(pipe) - before, scene.steps, `forwards of run ${i}`);
  }
  const before = forwards(pipe);
  await drawn(pipe, { count: 2 });
  test.equal(forwards(pipe) - before, 2 * scene.steps!, 'two pictures');
});

t.test('another process draws the same bytes', async (test) => {
  test.equal(await drawnElsewhere(), plain);
});

t.test('an adapter with a LoRA changes no run that does not name it: before, during and after', async (test) => {
  const pipe = await opened(test);
  const during = drawn(pipe);
  const [adapter] = await Promise.all([attach(pipe, 'faceid'), during]);
  test.equal(await during, plain, 'attached while the run goes on');
  test.equal(await drawn(pipe), plain, 'attached');
  test.not(await drawn(pipe, { references: [{ adapter, image }] }), plain, 'named');
  test.equal(await drawn(pipe), plain, 'attached, after a run that named it');
  const last = drawn(pipe);
  await Promise.all([last, adapter.dispose()]);
  test.equal(await last, plain, 'detached while the run goes on');
  test.equal(await drawn(pipe), plain, 'detached');
});

t.test('a run that names one of two adapters draws as if the other were not there', async (test) => {
  const pipe = await opened(test);
  await attach(pipe, 'plus');
  const references = [{ adapter: 'plus', image }];
  const before = await drawn(pipe, { references });
  await attach(pipe, 'faceid-plusv2');
  test.equal(await drawn(pipe, { references }), before);
  await drawn(pipe, { references: [{ adapter: 'faceid-plusv2', image }] });
  test.equal(await drawn(pipe, { references }), before);
});

for (const name of withLora) {
  t.test(`the LoRA of ${name} is in effect in the runs that name it, at loraScale`, async (test) => {
    const pipe = await opened(test);
    const own = weights(pipe);
    await using adapter = await attach(pipe, name);
    /** Weights that the last run has used. */
    const after = async (options: Partial<GenerateOptions>): Promise<readonly string[]> => {
      await drawn(pipe, options);
      return weights(pipe);
    };
    const full = await after({ references: [{ adapter, image }] });
    test.not(full[0], own[0], 'named: the UNet is another');
    test.same(full.slice(1), own.slice(1), 'and nothing else');
    test.same(await after({}), own, 'not named');
    const half = await after({ references: [{ adapter, image, loraScale: 0.5 }] });
    test.not(half[0], own[0]);
    test.not(half[0], full[0], 'half as strong');
    test.same(await after({ references: [{ adapter, image, scale: 0 }] }), full, 'scale is not loraScale');
    test.same(await after({ references: [{ adapter, image, loraScale: 0 }] }), own, 'loraScale 0');
    await adapter.dispose();
    await using weaker = await pipe.addAdapter(adapters[name], { face, loraScale: 0.5 });
    test.same(await after({ references: [{ adapter: weaker, image }] }), half, 'loraScale of addAdapter');
  });
}

for (const name of VARIANTS) {
  t.test(`${name} at scale 0 and loraScale 0 equals no adapter bit for bit`, async (test) => {
    const pipe = await opened(test);
    const adapter = await attach(pipe, name);
    const without = adapter.info.loraRank > 0 ? { loraScale: 0 } : {};
    test.equal(await drawn(pipe, { references: [{ adapter, image, scale: 0, ...without }] }), plain);
    test.not(await drawn(pipe, { references: [{ adapter, image, ...without }] }), plain, 'and at scale 1 not');
  });

  t.test(`detaching ${name} after a run leaves all weights byte-identical`, async (test) => {
    const pipe = await opened(test);
    const before = weights(pipe);
    const adapter = await attach(pipe, name);
    const withIt = await drawn(pipe, { references: [{ adapter, image }] });
    await adapter.dispose();
    test.same(weights(pipe), before);
    test.equal(await drawn(pipe), plain);
    const again = await attach(pipe, name);
    test.equal(
      await drawn(pipe, { references: [{ adapter: again, image }] }),
      withIt,
      'attached again it acts as before',
    );
  });
}

t.test('the bundled model in one file under LDM names draws the bytes of its folder', async (test) => {
  const folder = mkdtempSync(join(tmpdir(), 'ipa-ldm-'));
  test.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'sketch.safetensors');
  writeLdmFile(sketch.path, file);
  const pipe = await Pipeline.load(file);
  test.teardown(() => pipe.dispose());
  test.same(weights(pipe), weights(alone));
  test.equal(await drawn(pipe), plain);
  const other = await opened(test);
  const references = [{ image }];
  for (const each of [pipe, other]) await each.addAdapter(adapters['faceid-plusv2'], { face, encoder });
  test.equal(await drawn(pipe, { references }), await drawn(other, { references }), 'with an adapter');
});
