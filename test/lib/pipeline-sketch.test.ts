// The public API on the bundled model: real files, real numbers.
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import sharp from 'sharp';
import t, { type Test } from 'tap';
import {
  defaultModel,
  FaceAnalyzer,
  type GenerateOptions,
  inspect,
  type LoadOptions,
  Pipeline,
} from '../../lib/index.js';
import { pipelineParts } from '../../lib/pipeline.js';
import { writeSafetensors } from './ldm-file.js';

const { path, adapters, face, encoder, references } = defaultModel();
const family = dirname(path);
const person = (name: string): string => join(family, 'references', name);
const run: GenerateOptions = {
  prompt: 'portrait of a man, smiling, wearing a green hoodie, yellow background',
  seed: 3,
  steps: 6,
};

interface Caught {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}
const failure = (promise: PromiseLike<unknown>): Promise<Caught> =>
  Promise.resolve(promise).then(
    () => ({ code: 'none', message: '', hint: '' }),
    (error) => error,
  );
const opened = async (test: Test, options: LoadOptions = {}): Promise<Pipeline> => {
  const pipe = await Pipeline.load(path, options);
  test.teardown(() => pipe.dispose());
  return pipe;
};
const hash = async (pipe: Pipeline, options: Partial<GenerateOptions> = {}): Promise<string> => {
  const { images } = await pipe.generate({ ...run, ...options });
  return createHash('sha256').update(images[0]!.data).digest('hex');
};
const image = person('person-5-1.png');

t.test('a LoRA acts while it is attached, at its strength, and leaves nothing behind', async (test) => {
  const pipe = await opened(test);
  const before = await hash(pipe);
  const digest = pipelineParts(pipe).model.unet.digest();
  const layer = 'lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q';
  const factor = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => Math.sin(i + 1) / 2);
  const file = join(mkdtempSync(join(tmpdir(), 'ipa-lora-')), 'ink.safetensors');
  writeSafetensors(
    file,
    new Map([
      [`${layer}.lora_down.weight`, { dtype: 'F32', shape: [4, 32], bytes: Buffer.from(factor(128).buffer) }],
      [`${layer}.lora_up.weight`, { dtype: 'F32', shape: [32, 4], bytes: Buffer.from(factor(128).buffer) }],
    ]),
  );
  const lora = await pipe.addLora(file);
  test.match(lora, { name: 'ink', scale: 1, info: { modules: 1, rank: 4 } });
  const full = await hash(pipe);
  test.not(full, before);
  test.equal(await hash(pipe, { prompt: `${run.prompt}<lora:ink:1>` }), full, 'the directive is no part of the text');
  test.not(await hash(pipe, { prompt: `${run.prompt}<lora:ink:0.5>` }), full);
  test.equal(await hash(pipe, { prompt: `${run.prompt}<lora:ink:0>` }), before);
  await hash(pipe);
  await lora.dispose();
  test.equal(pipelineParts(pipe).model.unet.digest(), digest);
  test.equal(await hash(pipe), before);
});

t.test('LoRAs of every form act wherever their layer runs, and leave nothing behind', async (test) => {
  const pipe = await opened(test);
  const before = await hash(pipe);
  const digest = pipelineParts(pipe).model.unet.digest();
  const folder = mkdtempSync(join(tmpdir(), 'ipa-forms-'));
  const resnet = 'lora_unet_down_blocks_0_resnets_0';
  const toV = 'lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_v';
  const loha = { w1_a: [32, 4], w1_b: [4, 288], w2_a: [32, 4], w2_b: [4, 288] };
  const forms: Record<string, Record<string, number[]>> = {
    loha: Object.fromEntries(Object.entries(loha).map(([key, shape]) => [`${resnet}_conv1.hada_${key}`, shape])),
    lokr: { [`${toV}.lokr_w1`]: [4, 8], [`${toV}.lokr_w2`]: [8, 16] }, // what is computed once per prompt
    dora: {
      [`${resnet}_conv1.lora_down.weight`]: [4, 32, 3, 3],
      [`${resnet}_conv1.lora_up.weight`]: [32, 4, 1, 1],
      [`${resnet}_conv1.dora_scale`]: [1, 32, 1, 1],
    },
    norm: { [`${resnet}_norm1.w_norm`]: [32], [`${resnet}_norm1.b_norm`]: [32] },
    bias: { [`${resnet}_conv1.diff_b`]: [32] },
    schedule: { [`${resnet}_time_emb_proj.diff_b`]: [32] }, // what is computed once per run
  };
  const pictures = new Set([before]);
  // numbers of its own for each form: a bias of the convolution and one of the time embedding are added in one place
  for (const [form, [name, tensors]] of Object.entries(forms).entries()) {
    const file = join(folder, `${name}.safetensors`);
    const entries = Object.entries(tensors).map(([tensor, shape]) => {
      const values = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i + 1 + form) / 2);
      return [tensor, { dtype: 'F32', shape, bytes: Buffer.from(values.buffer) }] as const;
    });
    writeSafetensors(file, new Map(entries));
    const lora = await pipe.addLora(file);
    test.equal(lora.info.modules, 1, name);
    pictures.add(await hash(pipe));
    await lora.dispose();
    test.equal(pipelineParts(pipe).model.unet.digest(), digest, name);
  }
  test.equal(pictures.size, 1 + Object.keys(forms).length, 'each changes the picture in its own way');
  test.equal(await hash(pipe), before);
});

t.test('faces: turned files, tight crops, small and tilted ones, several, none', async (test) => {
  const pipe = await opened(test);
  await pipe.addAdapter(adapters.faceid, { face });
  const analyzer = await FaceAnalyzer.load(face);
  test.teardown(() => analyzer.dispose());
  const upright = await analyzer.identity(image);
  test.match(upright, { size: 192 });
  test.equal(upright.identity.length, 512);
  test.same([upright.crop.width, upright.crop.height], [224, 224]);
  const given = await hash(pipe, { references: [{ face: upright }] });
  test.equal(given, await hash(pipe, { references: [{ image }] }), 'a ready face is the face of the picture');
  const [x1, y1, x2, y2] = upright.box.map(Math.round) as [number, number, number, number];
  const tight = await sharp(image)
    .extract({ left: x1, top: y1, width: x2 - x1, height: y2 - y1 })
    .png()
    .toBuffer();
  const cosine = (a: Float32Array, b: Float32Array): number => {
    const dot = (u: Float32Array, v: Float32Array): number => u.reduce((sum, value, i) => sum + value * v[i]!, 0);
    return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  };
  const fromTight = await analyzer.identity(tight); // too large for the detector until it has a border
  const shift = fromTight.landmarks.map((v, i) => Math.abs(v + (i % 2 === 0 ? x1 : y1) - upright.landmarks[i]!));
  test.ok(Math.max(...shift) < 8, `landmarks of a tight crop are off by ${shift.map(Math.round).join(' ')} px`);
  const whole = [0, 0, x2 - x1, y2 - y1];
  const off = fromTight.box.map((v, i) => Math.abs(v - whole[i]!));
  test.ok(Math.max(...off) < 40, `its box is off by ${off.map(Math.round).join(' ')} px`);
  const turned = await analyzer.identity(person('turned.jpg'));
  const plain = await analyzer.identity(person('person-1-1.png'));
  test.ok(cosine(turned.identity, plain.identity) > 0.95, 'EXIF orientation');
  test.equal((await analyzer.detect(person('tilted.png'))).length, 1);
  const two = await analyzer.detect(person('two-people.png'));
  test.equal(two.length, 2);
  const area = ([a, b, c, d]: readonly number[]): number => (c! - a!) * (d! - b!);
  const largest = await analyzer.identity(person('two-people.png'));
  test.equal(area(largest.box), Math.max(...two.map(({ box }) => area(box))));
  const other = (await analyzer.identity(person('two-people.png'), { pickFace: 'left' })).box;
  test.ok(other[0] <= Math.min(...two.map(({ box }) => box[0])));
  test.match(await failure(analyzer.identity(person('two-people.png'), { pickFace: 'only' })), {
    code: 'FACE_AMBIGUOUS',
  });
  test.same(await analyzer.detect(person('nobody.png')), []);
  test.match(await failure(pipe.generate({ ...run, references: [{ image: person('nobody.png') }] })), {
    code: 'FACE_NOT_FOUND',
    message: 'references[0].image',
    hint: 'pass face',
  });
  await analyzer.dispose();
  test.match(await failure(analyzer.detect(image)), { code: 'CLOSED' });
});

t.test('the encoder is found by its tensors, and a wrong one is named', async (test) => {
  const pipe = await opened(test);
  const plus = await pipe.addAdapter(adapters.plus, { encoder });
  test.match(plus.info, { variant: 'plus', tokens: 16, needsFace: false });
  const root = mkdtempSync(join(tmpdir(), 'ipa-encoder-'));
  mkdirSync(join(root, 'adapters'));
  const lonely = join(root, 'adapters', 'lonely.safetensors');
  symlinkSync(adapters.plus, lonely);
  const missing = await failure(pipe.addAdapter(lonely));
  test.match(missing, {
    code: 'ADAPTER_ENCODER_MISSING',
    message: 'From its folder, looked at image_encoder: nothing',
    details: { searched: [{ place: join(root, 'adapters', 'image_encoder'), found: 'nothing' }] },
  });
  test.match(await failure(pipe.addAdapter(lonely, { encoder: join(path, 'vae') })), {
    code: 'ADAPTER_ENCODER_MISSING',
  });
  const notOne = join(path, 'text_encoder', 'model.safetensors');
  test.match(await failure(pipe.addAdapter(lonely, { encoder: notOne })), {
    code: 'ADAPTER_ENCODER_MISMATCH',
    message: 'hidden 160',
  });
  mkdirSync(join(root, 'clip_vision'));
  symlinkSync(join(encoder, 'model.safetensors'), join(root, 'clip_vision', 'b.safetensors'));
  writeFileSync(join(root, 'clip_vision', 'a.txt'), 'not a model');
  const found = await pipe.addAdapter(lonely);
  test.equal(found.name, 'lonely');
  test.match(await failure(pipe.addAdapter(adapters.plus, { name: 'lonely' })), { code: 'OPTION_CONFLICT' });
});

t.test('what is no model says what it is', async (test) => {
  const root = mkdtempSync(join(tmpdir(), 'ipa-files-'));
  const file = (name: string, content: string): string => {
    writeFileSync(join(root, name), content);
    return join(root, name);
  };
  const page = file('page.safetensors', '<!doctype html><title>Log in</title>');
  const empty = file('empty.bin', '');
  const pointer = file('lfs.bin', 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n');
  for (const [bad, code] of [
    [page, 'MODEL_NOT_A_MODEL'],
    [empty, 'MODEL_EMPTY'],
    [pointer, 'MODEL_NOT_A_MODEL'],
    [join(root, 'absent'), 'MODEL_NOT_FOUND'],
    [root, 'MODEL_NOT_FOUND'],
  ] as const) {
    const error = await failure(Pipeline.load(bad));
    test.match(error, { code }, bad);
    test.ok(error.message.includes(basename(bad)) && error.hint.length > 0, error.message);
  }
  const pipe = await opened(test);
  const before = await hash(pipe);
  test.match(await failure(pipe.addAdapter(page)), { code: 'MODEL_NOT_A_MODEL' });
  test.match(await failure(pipe.addAdapter(join(encoder, 'model.safetensors'))), { code: 'ADAPTER_UNKNOWN' });
  test.match(await failure(pipe.addLora(empty)), { code: 'MODEL_EMPTY' });
  test.equal(await hash(pipe), before);
});

t.test('inspect reads headers', async (test) => {
  const found = await inspect(adapters['faceid-plusv2']);
  test.match(found.variant, { name: 'faceid-plus', tokens: 4, needsFace: true, loraRank: 16, licence: 'Apache-2.0' });
  test.match(found.sha256, /^30e41ccb/);
  test.equal(
    (await inspect(join(path, 'vae', 'diffusion_pytorch_model.safetensors'), { sha256: false })).sha256,
    undefined,
  );
  test.equal(references.length >= 27, true);
});
