// What a model needs is known before a weight is read, a budget refuses what never fits, and networks that leave memory come
// back of the files that were opened at load: the pictures are the same, a file that changed is an error.
import {
  cpSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { type LoadEvent, type LoadOptions, Pipeline } from '../../../lib/index.js';
import { pipelineParts } from '../../../lib/pipeline.js';
import { drawn, failure, opened, reference, scene, sketch } from '../sketch.js';

const short = { steps: 2 };
const faceid = { adapter: 'faceid-plusv2_sketch', image: reference('person-5-1.png') };

const withFace = async (pipe: Pipeline): Promise<Pipeline> => {
  await pipe.addAdapter(sketch.adapters['faceid-plusv2'], {
    name: 'faceid-plusv2_sketch',
    encoder: sketch.encoder,
    face: sketch.face,
    version: 'v2',
  });
  return pipe;
};

/** Bytes of the model's networks in memory now. */
const there = (pipe: Pipeline): number => {
  const { unet, vae, text } = pipelineParts(pipe).model;
  return [unet, vae, ...text.map(({ network }) => network)].reduce((sum, network) => sum + network.memory(), 0);
};

t.test(
  'what a model needs is what it takes, and a budget below that is refused before a weight is read',
  async (test) => {
    const pipe = await opened(test);
    const { need } = pipe.info;
    test.match(need, { width: 128, height: 128 });
    const plain = await drawn(pipe, short);
    // the step plan of a run has as many calls as the run, and each text its own program
    test.ok(
      Math.abs(there(pipe) - need.weights - need.run) < 0.02 * there(pipe),
      `${there(pipe)} of ${JSON.stringify(need)}`,
    );
    test.ok(need.least <= need.offloaded && need.offloaded < need.weights + need.run);

    const within = await opened(test, { memory: { budget: need.least } });
    test.equal(await drawn(within, short), plain, 'the least budget is enough');
    test.ok(there(within) <= need.least);
    test.equal(
      await drawn(within, { ...short, width: 64 }),
      await drawn(pipe, { ...short, width: 64 }),
      'another size',
    );
    test.equal(await drawn(within, short), plain, 'and the first one again: values of other sizes make room');
    const events: LoadEvent[] = [];
    const few = { budget: Math.floor(need.least * 0.99) };
    const onProgress = (event: LoadEvent): void => void events.push(event);
    test.match(await failure(Pipeline.load(sketch.path, { memory: few, onProgress })), {
      code: 'MEMORY_BUDGET',
      message: `${need.least} bytes are needed at once, the budget is ${few.budget}`,
      details: { needed: String(need.least), allowed: String(few.budget) },
    });
    test.same(events, [], 'nothing was read');
    const all = need.weights + need.run;
    const never = { offload: 'never', budget: Math.floor(all * 0.99) } as const;
    test.match(await failure(Pipeline.load(sketch.path, { memory: never })), {
      code: 'MEMORY_BUDGET',
      hint: /memory\.offload "auto"/,
      details: { needed: String(all) },
    });
  },
);

t.test('a picture that does not fit is refused before anything runs', async (test) => {
  const { need } = (await opened(test)).info;
  const pipe = await opened(test, { memory: { budget: need.least } });
  const { unet, text } = pipelineParts(pipe).model;
  test.match(await failure(pipe.generate({ ...scene, width: 512, height: 512 })), { code: 'MEMORY_BUDGET' });
  test.equal(unet.runs('step') + text[0]!.network.runs('hidden'), 0);
  test.type(await drawn(pipe, short), 'string', 'a smaller one is drawn');
});

t.test('networks that leave come back as they were, with their LoRAs', async (test) => {
  const references = [faceid];
  const stay = await withFace(await opened(test));
  const plain = await drawn(stay, short);
  const liked = await drawn(stay, { ...short, references });
  test.not(liked, plain);
  const pipe = await withFace(await opened(test, { memory: { offload: 'always' } }));
  const most = pipe.info.need.offloaded;
  for (const [want, options] of [
    [liked, { references }],
    [plain, {}],
    [liked, { references }],
  ] as const) {
    const job = pipe.generate({ ...scene, ...short, ...options });
    for await (const event of job)
      if (event.type === 'step') test.ok(there(pipe) <= most * 1.1, `${there(pipe)} bytes of at most ${most}`);
    await job;
    test.equal(there(pipe), 0, 'none stays');
    test.equal(await drawn(pipe, { ...short, ...options }), want);
  }
});

/** The bundled model in a folder of its own, and its UNet's file. */
const copied = async (test: Test, memory: LoadOptions['memory']): Promise<{ pipe: Pipeline; file: string }> => {
  const folder = mkdtempSync(join(tmpdir(), 'ipa-offload-'));
  test.teardown(() => rmSync(folder, { recursive: true }));
  cpSync(sketch.path, folder, { recursive: true });
  cpSync(join(dirname(sketch.path), 'defaults.json'), join(folder, 'defaults.json'));
  const pipe = await Pipeline.load(folder, { memory });
  test.teardown(() => pipe.dispose());
  return { pipe, file: join(folder, 'unet', 'diffusion_pytorch_model.safetensors') };
};

const CHANGES: Readonly<Record<string, (file: string, bytes: Buffer) => void>> = {
  'rewritten in place': (file, bytes) => writeFileSync(file, bytes, { flag: 'r+' }),
  'rewritten, its time set back': (file, bytes) => {
    const old = new Date(1e12);
    writeFileSync(file, bytes.fill(0, bytes.length - 64), { flag: 'r+' });
    utimesSync(file, old, old);
  },
  'made shorter': (file, bytes) => truncateSync(file, bytes.length / 2),
};

for (const [what, change] of Object.entries(CHANGES)) {
  t.test(`a file that is ${what} is an error where it is read again`, async (test) => {
    const { pipe, file } = await copied(test, { offload: 'always' });
    const bytes = readFileSync(file);
    change(file, bytes);
    test.match(await failure(pipe.generate({ ...scene, ...short })), {
      code: 'MODEL_CHANGED',
      message: /diffusion_pytorch_model\.safetensors/,
      details: { path: file },
    });
  });
  t.test(`and where a LoRA is taken out: ${what}`, async (test) => {
    const { pipe, file } = await copied(test, {});
    await withFace(pipe);
    await drawn(pipe, { ...short, references: [faceid] });
    change(file, readFileSync(file));
    test.match(await failure(pipe.generate({ ...scene, ...short })), {
      code: 'MODEL_CHANGED',
      details: { path: file },
    });
  });
}

t.test('of a file that was replaced, or is gone, the one that was opened is read on', async (test) => {
  const { pipe, file } = await copied(test, { offload: 'always' });
  const want = await drawn(await opened(test), short);
  writeFileSync(`${file}.new`, 'another');
  renameSync(`${file}.new`, file);
  test.equal(await drawn(pipe, short), want);
  rmSync(file);
  test.equal(await drawn(pipe, short), want);
});

t.test('what reads weights again is cancelled like a run', async (test) => {
  const pipe = await opened(test, { memory: { offload: 'always' } });
  const job = pipe.generate({ ...scene, ...short });
  job.cancel();
  test.match(await failure(job), { code: 'ABORTED' });
  test.equal(await drawn(pipe, short), await drawn(await opened(test), short));
});
