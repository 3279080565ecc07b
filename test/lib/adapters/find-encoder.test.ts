// Where an adapter's encoder is looked for, in the folders as people have them: as published, as ComfyUI keeps them, beside the
// model; what a refusal lists; a SHA-256 that the caller expects.
import { createHash } from 'node:crypto';
import { appendFileSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { adapterSettings } from '../../../lib/adapters/options.js';
import { planAttachment } from '../../../lib/adapters/plan-attachment.js';
import { checkHash } from '../../../lib/files/hash.js';
import type { AddAdapterOptions, IpAdapterError } from '../../../lib/index.js';
import { startEngine } from '../../../lib/native/engine.js';
import { failure, opened, sketch } from '../sketch.js';
import { adapterShapes, ENCODERS, type Shapes, UNETS, writeSparse } from './sparse-files.js';

const host = startEngine({ threads: 1 });
t.teardown(() => host.close());

const made = (test: Test): string => {
  const folder = mkdtempSync(join(tmpdir(), 'ipa-trees-'));
  test.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, shapes] of Object.entries(UNETS)) writeSparse(join(folder, 'bases', `${name}.safetensors`), shapes);
  return folder;
};

const SDXL_BASE = adapterShapes('sdxl-base', UNETS.SDXL);
const SDXL_VIT_H = adapterShapes('sdxl-vit-h', UNETS.SDXL);
const SDXL_PLUS = adapterShapes('sdxl-plus-vit-h', UNETS.SDXL);
const SD15_BASE = adapterShapes('sd15-base', UNETS['SD1.5']);

/** As open_clip has it: the picture's tower beside the text's, attention as one matrix. */
const openClip = (vision: Shapes): Shapes =>
  new Map<string, readonly number[]>([
    ['visual.class_embedding', vision.get('vision_model.embeddings.class_embedding')!],
    ['visual.conv1.weight', vision.get('vision_model.embeddings.patch_embedding.weight')!],
    ['visual.proj', [...vision.get('visual_projection.weight')!].reverse()],
    ['token_embedding.weight', [49408, 1024]],
    ['transformer.resblocks.0.ln_1.weight', [1024]],
  ]);

interface Asked {
  readonly base?: keyof typeof UNETS;
  readonly modelFolder?: string;
  readonly options?: AddAdapterOptions;
}

const plan = async (folder: string, file: string, { base = 'SDXL', modelFolder, options = {} }: Asked = {}) => {
  const warned: string[] = [];
  const warn = (code: string, message: string): void => void warned.push(`${code}: ${message}`);
  const context = { host, unet: join(folder, 'bases', `${base}.safetensors`), modelFolder, warn };
  const found = await planAttachment(context, join(folder, file), adapterSettings(options), host.stop());
  return { ...found, warned };
};

t.test('in the tree as it is published, each adapter takes the encoder that it reads', async (test) => {
  const folder = made(test);
  writeSparse(join(folder, 'models/ip-adapter_sd15.safetensors'), SD15_BASE);
  writeSparse(join(folder, 'sdxl_models/ip-adapter_sdxl.safetensors'), SDXL_BASE);
  writeSparse(join(folder, 'sdxl_models/ip-adapter_sdxl_vit-h.safetensors'), SDXL_VIT_H);
  writeSparse(join(folder, 'sdxl_models/ip-adapter-plus_sdxl_vit-h.safetensors'), SDXL_PLUS);
  writeSparse(join(folder, 'models/image_encoder/model.safetensors'), ENCODERS.H);
  writeSparse(join(folder, 'sdxl_models/image_encoder/model.safetensors'), ENCODERS.G);
  const [small, large] = ['models', 'sdxl_models'].map((at) => join(folder, at, 'image_encoder/model.safetensors'));
  const taken = async (file: string, asked?: Asked) => (await plan(folder, file, asked)).encoderFile;
  test.equal(await taken('models/ip-adapter_sd15.safetensors', { base: 'SD1.5' }), small);
  test.equal(await taken('sdxl_models/ip-adapter_sdxl.safetensors'), large);
  test.equal(await taken('sdxl_models/ip-adapter_sdxl_vit-h.safetensors'), small);
  test.equal(await taken('sdxl_models/ip-adapter-plus_sdxl_vit-h.safetensors'), small);
});

t.test('in the tree of ComfyUI, among all files of clip_vision', async (test) => {
  const folder = made(test);
  writeSparse(join(folder, 'ipadapter/a.safetensors'), SDXL_PLUS);
  writeSparse(join(folder, 'ipadapter/b.safetensors'), SDXL_BASE);
  mkdirSync(join(folder, 'clip_vision'));
  writeFileSync(join(folder, 'clip_vision/README.md'), 'put encoders here');
  writeSparse(join(folder, 'clip_vision/clip-vit-large.safetensors'), ENCODERS.L224);
  writeSparse(join(folder, 'clip_vision/one.safetensors'), ENCODERS.G);
  writeSparse(join(folder, 'clip_vision/two.safetensors'), ENCODERS.H);
  test.equal((await plan(folder, 'ipadapter/a.safetensors')).encoderFile, join(folder, 'clip_vision/two.safetensors'));
  test.equal((await plan(folder, 'ipadapter/b.safetensors')).encoderFile, join(folder, 'clip_vision/one.safetensors'));
});

t.test("beside the adapter, in the model's folder, as fp16 and in the names of open_clip", async (test) => {
  const folder = made(test);
  writeSparse(join(folder, 'a/a.safetensors'), SDXL_PLUS);
  const model = { modelFolder: join(folder, 'model') };
  writeSparse(join(folder, 'model/image_encoder/model.fp16.safetensors'), ENCODERS.H);
  const half = join(folder, 'model/image_encoder/model.fp16.safetensors');
  test.equal((await plan(folder, 'a/a.safetensors', model)).encoderFile, half);
  writeSparse(join(folder, 'a/image_encoder/open_clip_pytorch_model.safetensors'), openClip(ENCODERS.H));
  const native = join(folder, 'a/image_encoder/open_clip_pytorch_model.safetensors');
  test.equal((await plan(folder, 'a/a.safetensors', model)).encoderFile, native, 'beside the adapter comes first');
});

t.test('where none fits, the error lists each place, what was there, and what is wanted', async (test) => {
  const folder = made(test);
  writeSparse(join(folder, 'ipadapter/a.safetensors'), SDXL_PLUS);
  writeSparse(join(folder, 'ipadapter/image_encoder/model.safetensors'), ENCODERS.G);
  writeSparse(join(folder, 'clip_vision/large.safetensors'), ENCODERS.L336);
  writeSparse(join(folder, 'clip_vision/vae.safetensors'), new Map([['decoder.conv_in.weight', [512, 4, 3, 3]]]));
  writeFileSync(join(folder, 'clip_vision/torn.safetensors'), 'torn');
  const error = (await plan(folder, 'ipadapter/a.safetensors', { modelFolder: join(folder, 'model') }).catch(
    (thrown) => thrown,
  )) as IpAdapterError;
  test.match(error, { code: 'ADAPTER_ENCODER_MISSING', hint: /folder of ViT-H \(hidden 1280\)/ });
  test.match(error.details, { expected: 'ViT-H (hidden 1280)' });
  test.same(error.details.searched, [
    { place: join(folder, 'ipadapter/image_encoder'), found: 'ViT-bigG (hidden 1664)' },
    { place: join(folder, 'models/image_encoder'), found: 'nothing' },
    { place: join(folder, 'sdxl_models/image_encoder'), found: 'nothing' },
    { place: join(folder, 'clip_vision/large.safetensors'), found: 'ViT-L (hidden 1024)' },
    { place: join(folder, 'clip_vision/torn.safetensors'), found: 'MODEL_TRUNCATED' },
    { place: join(folder, 'clip_vision/vae.safetensors'), found: 'no CLIP image encoder' },
    { place: join(folder, 'model/image_encoder'), found: 'nothing' },
  ]);
  const listed = /^No image encoder for .* it needs ViT-H \(hidden 1280\).*image_encoder: ViT-bigG \(hidden 1664\); /s;
  test.match(error.message, listed);
  test.ok(error.message.includes('../clip_vision/large.safetensors: ViT-L (hidden 1024)'), error.message);
});

t.test('a preset, a version and the name of FaceID Plus', async (test) => {
  const folder = made(test);
  writeSparse(join(folder, 'encoder/model.safetensors'), ENCODERS.H);
  writeSparse(join(folder, 'plus.bin'), adapterShapes('sd15-faceid-plus', UNETS['SD1.5'], { lora: true }));
  writeSparse(join(folder, 'xl.safetensors'), adapterShapes('sdxl-faceid-plusv2', UNETS.SDXL));
  const encoder = join(folder, 'encoder');
  const ask = (file: string, options: AddAdapterOptions) =>
    plan(folder, file, { base: file === 'xl.safetensors' ? 'SDXL' : 'SD1.5', options: { encoder, ...options } });
  const guessed = await ask('plus.bin', {});
  test.equal(guessed.version, 'v2');
  test.match(guessed.warned.join('\n'), /ADAPTER_VERSION_ASSUMED: plus .*its name speaks of plus without v2/);
  const told = await ask('plus.bin', { preset: 'FACEID PLUS - SD1.5 only' });
  test.equal(told.version, 'v1', 'where nothing else says it, the preset does');
  test.notMatch(told.warned.join('\n'), /ADAPTER_VERSION_ASSUMED/);
  test.equal((await ask('plus.bin', { preset: 'ip-adapter_face_id_plus', version: 'v1' })).version, 'v1');
  const conflict = { code: 'OPTION_CONFLICT' };
  await test.rejects(ask('plus.bin', { preset: 'FACEID PLUS V2', version: 'v1' }), conflict);
  await test.rejects(ask('xl.safetensors', { version: 'v1' }), { ...conflict, message: /no FaceID Plus v1 for SDXL/ });
  const bare = await ask('xl.safetensors', {});
  test.same([bare.version, bare.warned], ['v2', []]);
});

t.test('a projector that reads 512 numbers takes an encoder only of that width', async (test) => {
  const folder = made(test);
  writeSparse(join(folder, 'a.safetensors'), adapterShapes('sdxl-portrait-unnorm', UNETS.SDXL));
  writeSparse(join(folder, 'h.safetensors'), ENCODERS.H);
  const narrow = new Map(
    [...ENCODERS.H].map(([name, shape]) => [name, shape.map((side) => (side === 1280 ? 512 : side))]),
  );
  writeSparse(join(folder, 'narrow.safetensors'), narrow);
  const wide = await plan(folder, 'a.safetensors', { options: { encoder: join(folder, 'h.safetensors') } });
  test.match(wide, { needs: { encoder: undefined, identity: 512 }, encoderFile: undefined });
  test.match(wide.warned.join('\n'), /OPTION_CONFLICT: encoder is not used: a needs a face embedding/);
  const own = join(folder, 'narrow.safetensors');
  const fits = await plan(folder, 'a.safetensors', { options: { encoder: own } });
  test.match(fits, { needs: { encoder: { output: 'penultimate', width: 512 }, identity: 0 }, encoderFile: own });
});

t.test('a SHA-256 that the caller expects is checked before anything is used', async (test) => {
  const folder = made(test);
  const pipe = await opened(test);
  const file = sketch.adapters.base!;
  const hash = createHash('sha256').update(readFileSync(file)).digest('hex');
  const adapter = await pipe.addAdapter(file, { encoder: sketch.encoder, sha256: hash.toUpperCase() });
  await adapter.dispose();
  const other = join(folder, 'torn.safetensors');
  writeFileSync(other, readFileSync(file).subarray(0, 100)); // its header would be refused, had anybody read it
  const mismatch = await failure(pipe.addAdapter(other, { encoder: sketch.encoder, sha256: hash }));
  test.match(mismatch, { code: 'MODEL_HASH_MISMATCH', message: new RegExp(`expected ${hash}`) });
  test.match(await failure(pipe.addAdapter(dirname(other), { sha256: hash })), { code: 'MODEL_IO' });
  test.match(await failure(pipe.addAdapter(`${other}.no`, { sha256: hash })), { code: 'MODEL_NOT_FOUND' });
  test.match(await failure(pipe.addAdapter(file, { sha256: 'facbde76' })), { code: 'OPTION_TYPE' });
  const copy = join(folder, 'copy.safetensors');
  copyFileSync(file, copy);
  const checked = await checkHash(copy, hash);
  await checked.stillHolds();
  appendFileSync(copy, '0');
  test.match(await failure(checked.stillHolds()), { code: 'MODEL_CHANGED' });
});
