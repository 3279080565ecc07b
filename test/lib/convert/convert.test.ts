// Models written in their other form: the names and shapes of the published layout, the same numbers after one rounding, and
// the same pictures; LoRAs merged into them; what stands in the way is said before anything is written.
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type ConvertEvent, convert, merge, Pipeline } from '../../../lib/index.js';
import { readSafetensors, writeLdmFile, writeSafetensors } from '../ldm-file.js';
import { kohya, written } from '../loras.js';
import { modelFolder, scratch } from '../made/models.js';
import { digestOf, drawn, failure, sketch } from '../sketch.js';

const folder = scratch();
const at = (...names: string[]): string => join(folder, ...names);
const families = ['sd15', 'sdxl'] as const;
const made = { sd15: await modelFolder(folder, 'sd15'), sdxl: await modelFolder(folder, 'sdxl') };

type Tensors = ReturnType<typeof readSafetensors>;
type Tensor = Tensors extends Map<string, infer T> ? T : never;

/** f32 to f16, to the nearest, ties to even: by the definition, not by the library's way. */
const halfOf = (value: number): number => {
  const size = Math.abs(value);
  const exponent = Math.max(-14, Math.floor(Math.log2(size || 2 ** -30)));
  const unit = 2 ** (exponent - 10);
  const count = size / unit;
  const low = Math.floor(count);
  const rest = count - low;
  return Math.sign(value) * unit * (rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? low + 1 : low);
};
const fromHalf = (bits: number): number => {
  const [exponent, mantissa] = [(bits >> 10) & 31, bits & 1023];
  const size = exponent === 0 ? mantissa * 2 ** -24 : (1024 + mantissa) * 2 ** (exponent - 25);
  return bits & 0x8000 ? -size : size;
};
const numbersOf = ({ dtype, bytes }: Tensor): Float64Array => {
  const size = dtype === 'F32' ? 4 : 2;
  return Float64Array.from({ length: bytes.length / size }, (_, i) =>
    size === 4 ? bytes.readFloatLE(4 * i) : fromHalf(bytes.readUInt16LE(2 * i)),
  );
};

const weightFiles = (model: string): string[] =>
  readdirSync(model, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.safetensors'))
    .sort();

/** The first difference of two sets of tensors, or undefined; expected f32 numbers are rounded to f16 where `isHalf`. */
const difference = (found: Tensors, expected: Tensors, isHalf: boolean): string | undefined => {
  const [names, wanted] = [[...found.keys()].sort(), [...expected.keys()].sort()];
  const odd = names.find((name) => !expected.has(name)) ?? wanted.find((name) => !found.has(name));
  if (odd !== undefined) return `${odd} is in one alone`;
  for (const [name, tensor] of expected) {
    const other = found.get(name)!;
    if (other.shape.join() !== tensor.shape.join())
      return `${name} has ${other.shape.join()} for ${tensor.shape.join()}`;
    const [a, b] = [numbersOf(other), numbersOf(tensor)];
    const wrong = a.findIndex((value, i) => value !== (isHalf ? halfOf(b[i]!) : b[i]));
    if (wrong >= 0) return `${name}[${wrong}] is ${a[wrong]} for ${b[wrong]}`;
  }
  return undefined;
};

const short = { prompt: 'portrait of a woman', width: 64, height: 64, steps: 2, seed: 5, guidanceScale: 4 };
const picture = async (path: string): Promise<string> => {
  await using pipe = await Pipeline.load(path);
  const { images } = await pipe.generate(short);
  return digestOf(images[0]!.data);
};

for (const family of families)
  t.test(`${family}: a folder as one file, and that as a folder`, async (test) => {
    const [file, back, expected] = [at(`${family}.safetensors`), at(`${family}-back`), at(`${family}-ldm.safetensors`)];
    const events: ConvertEvent[] = [];
    const result = await convert(made[family], file, { onProgress: (event) => events.push(event) });
    writeLdmFile(made[family], expected);
    test.equal(difference(readSafetensors(file), readSafetensors(expected), true), undefined);
    test.same(result.warnings, []);
    test.equal(result.path, file);
    test.ok(result.bytes > 0 && statSync(file).size > result.bytes);
    test.match(events.at(-1), { type: 'convert', bytes: result.bytes, totalBytes: result.bytes });

    await convert(file, back);
    test.same(weightFiles(back), weightFiles(made[family]));
    for (const name of weightFiles(back))
      test.equal(
        difference(readSafetensors(join(back, name)), readSafetensors(join(made[family], name)), true),
        undefined,
        name,
      );
    test.equal(await picture(back), await picture(file), 'both draw the same picture');

    const exact = at(`${family}-f32.safetensors`);
    await convert(made[family], exact, { dtype: 'f32' });
    test.equal(difference(readSafetensors(exact), readSafetensors(expected), false), undefined);
    test.equal(await picture(exact), await picture(made[family]), 'in f32 nothing changes');
    const leftovers = readdirSync(folder).filter((name) => /\.(part|old)-/.test(name));
    test.same(leftovers, []);
  });

t.test('a folder that was written has what diffusers reads', async (test) => {
  const json = (...names: string[]): Record<string, unknown> => JSON.parse(readFileSync(at(...names), 'utf8'));
  test.match(json('sd15-back', 'model_index.json'), {
    _class_name: 'StableDiffusionPipeline',
    unet: ['diffusers', 'UNet2DConditionModel'],
    vae: ['diffusers', 'AutoencoderKL'],
    text_encoder: ['transformers', 'CLIPTextModel'],
    tokenizer: ['transformers', 'CLIPTokenizer'],
    scheduler: ['diffusers', 'PNDMScheduler'],
  });
  test.match(json('sdxl-back', 'model_index.json'), {
    _class_name: 'StableDiffusionXLPipeline',
    force_zeros_for_empty_prompt: true,
    text_encoder_2: ['transformers', 'CLIPTextModelWithProjection'],
    tokenizer_2: ['transformers', 'CLIPTokenizer'],
  });
  test.match(json('sdxl-back', 'unet', 'config.json'), {
    addition_embed_type: 'text_time',
    addition_time_embed_dim: 256,
    use_linear_projection: true,
  });
  test.match(json('sd15-back', 'unet', 'config.json'), { cross_attention_dim: 64, attention_head_dim: 8 });
  test.equal(json('sd15-back', 'vae', 'config.json').scaling_factor, 0.18215);
  test.equal(json('sdxl-back', 'vae', 'config.json').scaling_factor, 0.13025);
  test.equal(json('sdxl-back', 'tokenizer_2', 'special_tokens_map.json').pad_token, '!');
});

t.test(
  'the bundled model as one file and back draws the same picture, its tokenizer and configurations with it',
  async (test) => {
    const [file, back] = [at('sketch.safetensors'), at('sketch')];
    await convert(sketch.path, file);
    await convert(file, back);
    const draw = async (path: string): Promise<string> => {
      await using pipe = await Pipeline.load(path);
      return await drawn(pipe, { steps: 2 });
    };
    const expected = await draw(sketch.path);
    test.equal(await draw(file), expected);
    test.equal(await draw(back), expected);
    for (const name of ['tokenizer/vocab.json', 'tokenizer/merges.txt'])
      test.same(readFileSync(join(back, name)), readFileSync(join(sketch.path, name)));
    const config = (path: string): object => JSON.parse(readFileSync(join(path, 'unet/config.json'), 'utf8'));
    test.same(config(back), config(sketch.path));
    test.ok(existsSync(join(back, 'defaults.json')));
  },
);

t.test('a merged model draws the picture of the attached LoRA', async (test) => {
  const attention = 'lora_unet_mid_block_attentions_0_transformer_blocks_0';
  const lora = written(
    'ink',
    kohya({
      [`${attention}_attn1_to_q`]: [128, 128],
      [`${attention}_attn2_to_v`]: [128, 128],
      lora_te_text_model_encoder_layers_1_self_attn_v_proj: [128, 128],
    }),
  );
  const scales = { scale: 0.7, textScale: 0.4 };
  const [file, saved] = [at('merged.safetensors'), at('saved')];
  await merge(sketch.path, [{ file: lora, ...scales }], file);
  const pixels = async (pipe: Pipeline): Promise<Uint8Array> =>
    (await pipe.generate({ prompt: 'portrait of a man, smiling', seed: 3, steps: 4 })).images[0]!.data;
  await using pipe = await Pipeline.load(sketch.path, { dtype: 'f32' });
  const plain = await pixels(pipe);
  await pipe.addLora(lora, { name: 'ink', ...scales });
  const attached = await pixels(pipe);
  await pipe.saveMerged(saved);
  test.same(await pixels(pipe), attached, 'writing changes nothing');
  const far = (a: Uint8Array, b: Uint8Array): number =>
    a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0) / a.length;
  test.ok(far(plain, attached) > 2, 'the LoRA acts');
  for (const path of [file, saved]) {
    await using other = await Pipeline.load(path, { dtype: 'f32' });
    // weights are rounded to f16 once more than attached ones: a fraction of a grey level
    test.ok(far(await pixels(other), attached) < 0.5, `${path}: ${far(await pixels(other), attached)}`);
  }
  const both = at('both.safetensors');
  await convert(saved, both);
  test.same(readFileSync(both), readFileSync(file), 'both ways of merging write the same numbers');
  await pipe.saveMerged(both, { overwrite: true, dtype: 'f32' });
  test.not(statSync(both).size, statSync(file).size);
});

t.test('a file, a folder and a source that stand in the way', async (test) => {
  const code = async (work: Promise<unknown>): Promise<string> => (await failure(work)).code;
  const source = made.sd15;
  mkdirSync(at('photos'));
  writeFileSync(at('photos', 'one.png'), 'x');
  writeFileSync(at('there.safetensors'), 'old');
  test.equal(await code(convert(source, at('there.safetensors'))), 'OUTPUT_EXISTS');
  test.equal(readFileSync(at('there.safetensors'), 'utf8'), 'old');
  test.equal(await code(convert(source, at('sd15-back'))), 'OUTPUT_EXISTS');
  test.equal(
    await code(convert(source, at('photos'), { overwrite: true })),
    'OUTPUT_EXISTS',
    'a folder of something else',
  );
  test.ok(existsSync(at('photos', 'one.png')));
  mkdirSync(at('folder.safetensors'));
  test.equal(await code(convert(source, at('folder.safetensors'), { overwrite: true })), 'OUTPUT_EXISTS');
  test.equal(await code(convert(source, at('x.ckpt'))), 'OPTION_RANGE');
  test.equal(await code(convert(source, at('x'), { dtype: 'f64' } as never)), 'OPTION_UNKNOWN');
  test.equal(await code(convert(at('nothing'), at('x'))), 'MODEL_NOT_FOUND');
  test.equal(await code(convert(source, at('no', 'such', 'x'))), 'OUTPUT_IO');
  test.equal(await code(convert(source, at('no', 'such', 'x.safetensors'))), 'OUTPUT_IO');
  test.equal(await code(merge(source, [at('lora.safetensors')], at('x'))), 'MODEL_NOT_FOUND');
  test.equal(await code(merge(source, [{ file: 'a', scale: 3 }], at('x'))), 'OPTION_RANGE');
  const signal = AbortSignal.abort();
  test.equal(await code(convert(source, at('x'), { signal })), 'ABORTED');
  const late = new AbortController();
  test.equal(await code(convert(source, at('x'), { signal: late.signal, onProgress: () => late.abort() })), 'ABORTED');
  test.notOk(existsSync(at('x')));
  await convert(source, at('there.safetensors'), { overwrite: true });
  test.equal(
    difference(readSafetensors(at('there.safetensors')), readSafetensors(at('sd15.safetensors')), false),
    undefined,
  );
  await convert(made.sdxl, at('sd15-back'), { overwrite: true });
  test.ok(existsSync(at('sd15-back', 'text_encoder_2', 'model.safetensors')));
});

t.test('what an ended process has left is removed, and a folder that it moved aside comes back', async (test) => {
  const host = /\.part-([A-Za-z0-9]+)-/;
  let name = '';
  const seen = (): void => {
    name ||= readdirSync(folder).find((entry) => entry.startsWith('swept.part-')) ?? '';
  };
  await convert(made.sd15, at('swept'), { onProgress: seen });
  const machine = host.exec(name)![1]!;
  const mark = (pid: number): string => `${machine}-${pid}-0123abcd`;
  const gone = 2 ** 22 + 1; // more than a process can have
  renameSync(at('swept'), at(`swept.old-${mark(gone)}`));
  for (const entry of [
    `swept.part-${mark(gone)}`,
    `swept.part-${mark(process.pid)}`,
    `swept.part-other-${gone}-0123abcd`,
  ])
    mkdirSync(at(entry));
  const others = [`swept.part-${mark(process.pid)}`, `swept.part-other-${gone}-0123abcd`];
  test.equal((await failure(convert(made.sd15, at('swept')))).code, 'OUTPUT_EXISTS', 'it is back');
  test.same(
    readdirSync(folder).filter((entry) => entry.startsWith('swept')),
    ['swept', ...others].sort(),
  );
  mkdirSync(at(`swept.old-${mark(gone)}`));
  await convert(made.sd15, at('swept'), { overwrite: true });
  test.same(
    readdirSync(folder).filter((entry) => entry.startsWith('swept')),
    ['swept', ...others].sort(),
  );
  for (const entry of others) rmSync(at(entry), { recursive: true });
});

t.test('numbers that f16 does not have, and damaged ones, are named', async (test) => {
  const model = at('large');
  cpSync(made.sd15, model, { recursive: true });
  const path = join(model, 'unet', 'diffusion_pytorch_model.safetensors');
  const spoil = (value: number): void => {
    const tensors = readSafetensors(path);
    const { bytes } = tensors.get('conv_in.weight')!;
    bytes.writeFloatLE(value, 8);
    writeSafetensors(path, tensors);
  };
  spoil(70000);
  const error = (await failure(convert(model, at('large.safetensors')))) as unknown as {
    code: string;
    message: string;
  };
  test.match(error, { code: 'TENSOR_DTYPE', message: /input_blocks\.0\.0\.weight holds 70000/ });
  await convert(model, at('large.safetensors'), { dtype: 'bf16' });
  spoil(Number.NaN);
  test.equal((await failure(convert(model, at('nan.safetensors')))).code, 'TENSOR_NONFINITE');
  await convert(model, at('nan.safetensors'), { allowNonFinite: true });
  test.same(
    readdirSync(folder).filter((name) => /\.part-/.test(name)),
    [],
  );
});

t.test('families that do not load are refused by name, as files and as folders', async (test) => {
  const tensor = (...shape: number[]): Tensor => ({
    dtype: 'F16',
    shape,
    bytes: Buffer.alloc(2 * shape.reduce((a, b) => a * b, 1)),
  });
  const unet = 'model.diffusion_model.';
  const files: readonly (readonly [name: string, found: RegExp, tensors: Readonly<Record<string, Tensor>>])[] = [
    ['flux', /FLUX/, { [`${unet}double_blocks.0.img_attn.proj.weight`]: tensor(4, 4) }],
    ['sd3', /SD3/, { [`${unet}joint_blocks.0.x_block.attn.proj.weight`]: tensor(4, 4) }],
    ['sd2', /SD2\.x/, { 'cond_stage_model.model.ln_final.weight': tensor(4), [`${unet}out.2.weight`]: tensor(4, 4) }],
    [
      'refiner',
      /SDXL refiner/,
      {
        'conditioner.embedders.0.model.transformer.resblocks.0.ln_1.weight': tensor(4),
        [`${unet}out.2.weight`]: tensor(4, 4),
      },
    ],
  ];
  for (const [name, found, tensors] of files) {
    const all = { 'first_stage_model.x': tensor(1), 'cond_stage_model.x': tensor(1), ...tensors };
    writeSafetensors(at(`${name}.safetensors`), new Map(Object.entries(all)));
    const error = (await failure(convert(at(`${name}.safetensors`), at('refused')))) as unknown as Error;
    test.match(error, { code: 'MODEL_FORMAT_UNSUPPORTED', message: found }, name);
  }
  mkdirSync(at('flux'));
  writeFileSync(at('flux', 'model_index.json'), JSON.stringify({ _class_name: 'FluxPipeline', vae: ['a', 'b'] }));
  const error = await failure(convert(at('flux'), at('refused')));
  test.match(error, { code: 'MODEL_FORMAT_UNSUPPORTED', message: /no unet and is of another kind: "FluxPipeline"/ });
  test.notOk(existsSync(at('refused')));
});
