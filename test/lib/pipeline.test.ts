// The pipeline's own rules (queue, abort, dispose, LoRA lists, events) on an engine without numbers.
import { mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { GenerateOptions, Reference } from '../../lib/index.js';
import { defaultModel } from '../../lib/models/default-model.js';
import type { LoadOptions } from '../../lib/models/options.js';
import { loadPipelineWith, type Pipeline } from '../../lib/pipeline.js';
import { type FakeEngine, fakeEngine } from './fake-engine.js';

const { path, face, adapters, references } = defaultModel();
const pixels = { data: new Uint8Array(16 * 16 * 3).fill(100), width: 16, height: 16, channels: 3 } as const;
const faceless = { ...pixels, data: new Uint8Array(16 * 16 * 3) };
const run: GenerateOptions = { prompt: 'a cat', steps: 4, seed: 1, width: 64, height: 64 };

interface Error_ {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly cause?: { readonly code?: string };
}
const failure = (promise: PromiseLike<unknown>): Promise<Error_> =>
  Promise.resolve(promise).then(
    () => ({ name: 'none', code: 'none', message: '', hint: '' }),
    (error) => error,
  );

const opened = async (test: Test, options: LoadOptions = {}): Promise<{ pipe: Pipeline; fake: FakeEngine }> => {
  const fake = fakeEngine();
  const pipe = await loadPipelineWith(() => fake.host, path, options);
  test.teardown(() => pipe.dispose());
  return { pipe, fake };
};

t.test('load: parts in order, progress, defaults of the family', async (test) => {
  const parts: string[] = [];
  const { pipe, fake } = await opened(test, { onProgress: ({ part }) => parts.push(part) });
  test.same(fake.calls, ['load unet', 'load vae', 'load clip_text']);
  test.same(parts, ['unet', 'vae', 'text_encoder']);
  test.match(pipe.info, { name: 'pipeline', device: 'cpu', dtype: 'f32', parameters: 15, memory: 30 });
  await pipe.generate({ prompt: 'a cat', seed: 1 });
  test.match(fake.samples[0], { width: 16, height: 16, guidanceScale: 3, seed: 1n });
  test.equal(fake.samples[0]!.rows.length, 20);
});

t.test('load: an aborted signal, a listener that throws', async (test) => {
  const reason = new Error('changed my mind');
  test.match(await failure(loadPipelineWith(() => fakeEngine().host, path, { signal: AbortSignal.abort(reason) })), {
    code: 'ABORTED',
    cause: reason,
  });
  const cause = new Error('my bug');
  const fake = fakeEngine();
  const throwing = (): void => {
    throw cause;
  };
  test.equal((await failure(loadPipelineWith(() => fake.host, path, { onProgress: throwing }))).cause, cause);
  test.ok(fake.closed);
  test.match(await failure(loadPipelineWith(() => fakeEngine().host, '/absent/model', {})), {
    code: 'MODEL_NOT_FOUND',
  });
});

t.test('events come in order, one step event per outer step', async (test) => {
  const { pipe } = await opened(test);
  const seen: string[] = [];
  const job = pipe.generate({ ...run, sampler: 'pndm', count: 2, onProgress: (e) => seen.push(e.type) });
  const followed: string[] = [];
  for await (const event of job) followed.push(event.type);
  const picture = ['step', 'step', 'step', 'step', 'decode', 'image'];
  test.same(
    seen,
    ['queued', 'start', 'encode', ...picture, ...picture, 'done'],
    "PNDM's repeated call is no step of its own",
  );
  test.same([...new Set(followed)], [...new Set(seen)]);
  const { images, seeds, timings } = await job;
  test.same(seeds, [1, 2]);
  test.same(
    images.map((image) => image.seed),
    [1, 2],
  );
  test.ok(timings.totalMs > 0);
});

t.test('L-03: runs wait for each other, and the queue has an end', async (test) => {
  const { pipe, fake } = await opened(test, { maxQueue: 2 });
  const positions: number[] = [];
  const onProgress: GenerateOptions['onProgress'] = (e) => e.type === 'queued' && positions.push(e.position);
  const jobs = [1, 2, 3, 4].map((seed) => pipe.generate({ ...run, seed, onProgress }));
  test.match(await failure(jobs[3]!), { code: 'QUEUE_FULL' });
  await Promise.all(jobs.slice(0, 3));
  test.same(positions, [0, 1, 2]);
  test.same(
    fake.samples.map((spec) => spec.seed),
    [1n, 2n, 3n],
  );
  await pipe.generate(run);
});

t.test('L-01: aborted before, while waiting, during, after', async (test) => {
  const { pipe, fake } = await opened(test);
  const reason = new Error('changed my mind');
  const calls = fake.calls.length;
  test.match(await failure(pipe.generate({ ...run, signal: AbortSignal.abort(reason) })), {
    name: 'AbortError',
    code: 'ABORTED',
    cause: reason,
  });
  test.equal(fake.calls.length, calls, 'no work was begun');

  fake.windDownMs = 200;
  const control = new AbortController();
  let steps = 0;
  const job = pipe.generate({
    ...run,
    signal: control.signal,
    onProgress: (e) => {
      if (e.type === 'step' && ++steps === 2) control.abort(reason);
    },
  });
  const waiting = new AbortController();
  const second = pipe.generate({ ...run, seed: 2, signal: waiting.signal });
  const third = pipe.generate({ ...run, seed: 3 });
  waiting.abort();
  test.match(await failure(second), { code: 'ABORTED' });
  const started = performance.now();
  test.match(await failure(job), { code: 'ABORTED', cause: reason });
  test.ok(performance.now() - started < 50, 'it rejects while the native call winds down');
  await third;
  test.same(
    fake.samples.map((spec) => spec.seed),
    [1n, 3n],
    'the one that waited never ran',
  );

  const late = new AbortController();
  const done = pipe.generate({ ...run, signal: late.signal });
  const { images } = await done;
  late.abort();
  test.equal((await done).images, images);
});

t.test('L-04: dispose during a run, twice, then generate; drain lets runs end', async (test) => {
  const { pipe, fake } = await opened(test);
  const jobs = [pipe.generate(run), pipe.generate(run)];
  await sleep(5);
  const ends = Promise.all([pipe.dispose(), pipe.dispose()]);
  for (const job of jobs) test.match(await failure(job), { code: 'ABORTED', cause: { code: 'CLOSED' } });
  await ends;
  test.ok(fake.closed);
  test.match(await failure(pipe.generate(run)), { code: 'CLOSED' });
  test.match(await failure(pipe.addAdapter(adapters.base)), { code: 'CLOSED' });
  test.match(await failure(pipe.addLora('x.safetensors')), { code: 'CLOSED' });

  const { pipe: other } = await opened(test);
  const draining = [other.generate(run), other.generate(run)];
  await other.dispose({ drain: true });
  test.equal((await Promise.all(draining)).length, 2);
});

t.test('dispose while something is being attached', async (test) => {
  const { pipe } = await opened(test);
  const attaching = failure(pipe.addAdapter(adapters.base));
  await pipe.dispose();
  test.match(await attaching, { code: 'CLOSED' });
});

t.test('L-02: from a listener: generate is queued, dispose ends the run, errors become its cause', async (test) => {
  const { pipe } = await opened(test);
  const inner: PromiseLike<unknown>[] = [];
  await pipe.generate({ ...run, onProgress: (e) => e.type === 'start' && inner.push(pipe.generate(run)) });
  test.ok(await inner[0]);
  const cause = new Error('my bug');
  const throwing: GenerateOptions['onProgress'] = (e) => {
    if (e.type === 'step') throw cause;
  };
  test.equal((await failure(pipe.generate({ ...run, onProgress: throwing }))).cause, cause);
  test.ok(await pipe.generate(run), 'the next run is as before');
  const job = pipe.generate({ ...run, onProgress: (e) => e.type === 'step' && void pipe.dispose() });
  test.match(await failure(job), { code: 'ABORTED' });
});

t.test('guidance: absent, empty and no negative prompt', async (test) => {
  const { pipe, fake } = await opened(test);
  await pipe.generate(run);
  test.ok(fake.samples[0]!.negativeContext, 'SD1.5: absent is encoded as empty');
  await pipe.generate({ ...run, guidanceScale: 1, negativePrompt: 'blurry' });
  test.equal(fake.samples[1]!.negativeContext, undefined, 'guidance off');
  await pipe.generate({ ...run, prompt: 'a '.repeat(80), negativePrompt: 'x' });
  const [, , long] = fake.samples;
  test.same(long!.context!.shape, [1, 1, 154, 8]);
  test.same(long!.negativeContext!.shape, [1, 1, 154, 8], 'both of equal length');
});

t.test('SDXL: two encoders, pooled text, sizes, zeros for an absent negative prompt', async (test) => {
  const folder = mkdtempSync(join(tmpdir(), 'ipa-xl-'));
  for (const part of ['unet', 'vae', 'text_encoder', 'tokenizer', 'scheduler'])
    symlinkSync(join(path, part), join(folder, part));
  for (const part of ['text_encoder', 'tokenizer']) symlinkSync(join(path, part), join(folder, `${part}_2`));
  const component = ['diffusers', 'X'];
  const index = { unet: component, vae: component, text_encoder: component, text_encoder_2: component };
  writeFileSync(join(folder, 'model_index.json'), JSON.stringify({ ...index, force_zeros_for_empty_prompt: true }));
  const fake = fakeEngine({ isXl: true });
  const pipe = await loadPipelineWith(() => fake.host, folder, {});
  test.teardown(() => pipe.dispose());
  test.same(fake.calls, ['load unet', 'load vae', 'load clip_text', 'load clip_text']);
  const { prompt, steps, seed } = run;
  await pipe.generate({ prompt, steps, seed, width: 64, height: 128, clipSkip: [1, 0] });
  test.ok(fake.calls.includes('encodeText penultimate 1, penultimate 1'), fake.calls.join('; '));
  const [spec] = fake.samples;
  test.same(spec!.timeIds, [128, 64, 0, 0, 128, 64]);
  test.same(spec!.negativeTimeIds, spec!.timeIds);
  test.equal(spec!.guidanceScale, 5);
  test.ok(spec!.pooled!.data.every((v) => v === 1) && spec!.negativePooled!.data.every((v) => v === 0));
  test.ok(spec!.negativeContext!.data.every((v) => v === 0));
  await pipe.generate({ prompt, steps, seed, width: 64, height: 128, hires: { scale: 1.5 } });
  const [, , larger] = fake.samples;
  test.same(larger!.timeIds, [192, 96, 0, 0, 192, 96], 'each pass is told its own size');
  await pipe.generate({ ...run, negativePrompt: '' });
  test.ok(
    fake.samples[3]!.negativeContext!.data.every((v) => v === 1),
    'an empty one is encoded',
  );
});

t.test('references: one, several pictures, faces, unconditional tokens', async (test) => {
  const { pipe, fake } = await opened(test);
  test.match(await failure(pipe.generate({ ...run, references: [{ image: pixels }] })), { code: 'NOT_LOADED' });
  await pipe.addAdapter(adapters.base, { name: 'base' });
  await pipe.generate({ ...run, references: [{ images: [pixels, pixels], scale: 0.5 }] });
  const [prompt] = fake.samples.at(-1)!.prompts;
  test.same(prompt!.tokens.shape, [1, 1, 8, 8]);
  test.same(prompt!.negativeTokens!.shape, [1, 1, 8, 8], 'as many as the conditional ones');
  test.same(prompt!.scales, [0.5, 0.5, 0.5, 0.5]);
  test.same(prompt!.window, [1, 1, 1, 1]);
  test.equal(prompt!.tokenGains, undefined);
  await pipe.generate({ ...run, references: [{ images: [pixels, pixels], weights: [1, 2] }] });
  test.same(fake.samples.at(-1)!.prompts[0]!.tokenGains, [0, 0, 0, 0, 1, 1, 1, 1], 'values of the second picture');
  test.match(await failure(pipe.generate({ ...run, references: [{ face: { identity: new Float32Array(512) } }] })), {
    code: 'OPTION_CONFLICT',
  });

  const faceId = await pipe.addAdapter(adapters.faceid, { name: 'faceid', face });
  test.match(await failure(pipe.generate({ ...run, references: [{ image: pixels }] })), {
    code: 'OPTION_CONFLICT',
    hint: '"base", "faceid"',
  });
  test.match(await failure(pipe.generate({ ...run, references: [{ image: pixels, adapter: 'facid' }] })), {
    code: 'OPTION_UNKNOWN',
    hint: 'faceid',
  });
  fake.calls.length = 0;
  await pipe.generate({ ...run, references: [{ adapter: faceId, images: [pixels, pixels], weights: [1, 3] }] });
  test.ok(fake.calls.includes('average 1 3 renormalized'), 'FaceID averages identities, to length 1');
  test.ok(fake.calls.includes('detect 192'), "the family's own canvas");
  const none = await failure(pipe.generate({ ...run, references: [{ adapter: faceId, image: faceless }] }));
  test.match(none, { code: 'FACE_NOT_FOUND', message: 'searched at 192, 192 with a border' });
  await pipe.generate({
    ...run,
    references: [{ adapter: faceId, face: { identity: new Float32Array(512).fill(0.5) } }],
  });
  test.match(
    await failure(
      pipe.generate({ ...run, references: [{ adapter: faceId, face: { identity: new Float32Array(512) } }] }),
    ),
    { code: 'NAN_CONDITION' },
  );
  await faceId.dispose();
  test.match(await failure(pipe.generate({ ...run, references: [{ adapter: faceId, image: pixels }] })), {
    code: 'CLOSED',
  });
  await pipe.generate({ ...run, references: [{ image: references[0]! }] });
});

t.test('start and end: i/N or σ, both ends included', async (test) => {
  const { pipe, fake } = await opened(test);
  await pipe.addAdapter(adapters.base);
  const within = async (window: Pick<Reference, 'start' | 'end' | 'windowMode'>): Promise<readonly number[]> => {
    await pipe.generate({ ...run, references: [{ image: pixels, ...window }] });
    return fake.samples.at(-1)!.prompts[0]!.window;
  };
  test.same(await within({}), [1, 1, 1, 1]);
  test.same(await within({ start: 0.25, end: 0.5 }), [0, 1, 1, 0]);
  test.same(await within({ end: 0.5 }), [1, 1, 1, 0]);
  test.same(await within({ end: 0.5, windowMode: 'sigma' }), [1, 1, 0, 0]);
  for (const wrong of [{ start: 0.6, end: 0.5 }, { start: -0.1 }, { end: 1.5 }])
    test.match(await failure(pipe.generate({ ...run, references: [{ image: pixels, ...wrong }] })), {
      code: 'OPTION_RANGE',
    });
});

t.test('LoRAs: each run has exactly its own', async (test) => {
  const { pipe, fake } = await opened(test);
  const last = (): number[] => fake.loras.at(-1) ?? [];
  const ink = await pipe.addLora('ink.safetensors', { scale: 0.8 });
  await pipe.generate(run);
  test.same(last(), [0.8]);
  await pipe.generate({ ...run, prompt: 'a cat <lora:ink:0.5>' });
  test.same(last(), [0.5]);
  await pipe.generate({ ...run, prompt: 'a cat <lora:ink:0>' });
  test.same(last(), []);
  test.match(await failure(pipe.generate({ ...run, prompt: '<lora:inc:1>' })), {
    code: 'OPTION_UNKNOWN',
    hint: '"ink"',
  });
  test.match(await failure(pipe.generate({ ...run, prompt: '<lora:ink:3>' })), { code: 'OPTION_RANGE' });
  test.match(await failure(pipe.addLora('other/ink.bin')), { code: 'OPTION_CONFLICT' });
  const faceId = await pipe.addAdapter(adapters.faceid, { face, loraScale: 0.6 });
  const reference = { adapter: faceId, image: pixels };
  await pipe.generate(run);
  test.same(last(), [0.8], 'an adapter that is not referenced changes nothing');
  await pipe.generate({ ...run, references: [{ ...reference, scale: 0 }] });
  test.same(last(), [0.8, 0.6]);
  await pipe.generate({
    ...run,
    references: [
      { ...reference, loraScale: 1 },
      { ...reference, loraScale: 1 },
    ],
  });
  test.same(last(), [0.8, 1], 'once, however many references');
  const differ = [
    { ...reference, loraScale: 1 },
    { ...reference, loraScale: 0.5 },
  ];
  test.match(await failure(pipe.generate({ ...run, references: differ })), { code: 'OPTION_CONFLICT' });
  await faceId.dispose();
  test.same(last(), [], 'detaching restores the weights');
  await pipe.generate(run);
  test.same(last(), [0.8]);
  const before = fake.loras.length;
  await pipe.generate(run);
  test.equal(fake.loras.length, before, 'the same list is not merged again');
  await ink.dispose();
  test.same(last(), []);
});

t.test('options that cannot act: a warning, an error where strict', async (test) => {
  const { pipe } = await opened(test);
  const seen: string[] = [];
  const { warnings } = await pipe.generate({
    ...run,
    sampler: 'euler',
    eta: 0.5,
    onProgress: (e) => e.type === 'warning' && seen.push(e.code),
  });
  test.match(warnings, [{ code: 'OPTION_CONFLICT', message: 'eta' }]);
  test.same(seen, ['OPTION_CONFLICT']);
  const { pipe: strict } = await opened(test, { strict: true });
  test.match(await failure(strict.generate({ ...run, sampler: 'euler', eta: 0.5 })), { code: 'OPTION_CONFLICT' });
  test.match(await failure(strict.generate({ ...run, clipSkip: 4 })), { code: 'OPTION_RANGE', message: 'from 0 to 3' });
});

t.test('face networks are checked by their outputs', async (test) => {
  const { pipe } = await opened(test);
  const six = { detector: '/x/six.onnx', recognizer: face.recognizer };
  test.match(await failure(pipe.addAdapter(adapters.faceid, { face: six })), {
    code: 'FACE_MODEL_MISSING',
    message: '6 outputs',
  });
  const wrong = { detector: face.detector, recognizer: '/x/six.onnx' };
  test.match(await failure(pipe.addAdapter(adapters.faceid, { face: wrong })), { code: 'FACE_MODEL_MISSING' });
  await pipe.addAdapter(adapters.faceid, { name: 'bare' });
  test.match(await failure(pipe.generate({ ...run, references: [{ image: pixels }] })), { code: 'FACE_MODEL_MISSING' });
  const warned: string[] = [];
  const { pipe: other } = await opened(test, {
    logger: { warn: (facts) => warned.push((facts as { code: string }).code) },
  });
  await other.addAdapter(adapters.faceid, { face: { detector: face.detector, recognizer: '/x/recog-other.onnx' } });
  test.same(warned, ['FACE_RECOGNIZER_UNVERIFIED']);
});

t.test('the record of a run holds names and hashes, no paths', async (test) => {
  const { pipe } = await opened(test);
  await pipe.addAdapter(adapters.base, { name: 'base' });
  const { images } = await pipe.generate({
    ...run,
    references: [{ image: references[0]!, scale: { up: 1 } }],
    label: 'x',
  });
  const text = JSON.stringify(images[0]!.metadata);
  test.notOk(text.includes('/'), text);
  test.match(images[0]!.metadata, { label: 'x', references: [{ adapter: 'base', variant: 'base', scale: { up: 1 } }] });
  test.match(images[0]!.metadata.references[0]!.images[0], /^[0-9a-f]{64}$/);
});
