// Files as people have them: other names for the same weights draw the same picture, a file of another kind is told what it
// is and which call takes it, a checkpoint without a part is told which.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Pipeline } from '../../../lib/index.js';
import { readSafetensors, writeLdmFile, writeSafetensors } from '../ldm-file.js';
import { drawn, failure, opened, reference, sketch } from '../sketch.js';

const folder = mkdtempSync(join(tmpdir(), 'ipa-users-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const short = { steps: 2 };

type Tensors = ReturnType<typeof readSafetensors>;
const written = (name: string, tensors: Tensors): string => {
  const file = join(folder, name);
  writeSafetensors(file, tensors);
  return file;
};
const renamed = (tensors: Tensors, name: (old: string) => string): Tensors =>
  new Map([...tensors].map(([old, tensor]) => [name(old), tensor]));

/** Cross-attentions of the bundled UNet in the authors' order: down, up, then mid. */
const sites = [
  ...[0, 1, 2].flatMap((block) => [0, 1].map((i) => `down_blocks.${block}.attentions.${i}`)),
  ...[1, 2, 3].flatMap((block) => [0, 1, 2].map((i) => `up_blocks.${block}.attentions.${i}`)),
  'mid_block.attentions.0',
].map((place) => `${place}.transformer_blocks.0.attn2`);

t.test('an adapter whose weights are named by their place in the UNet draws the same picture', async (test) => {
  const pipe = await opened(test);
  const tensors = readSafetensors(sketch.adapters.base!);
  const image = reference('person-5-1.png');
  const draw = async (file: string): Promise<string> => {
    const adapter = await pipe.addAdapter(file, { encoder: sketch.encoder, name: 'adapter' });
    try {
      return await drawn(pipe, { ...short, references: [{ adapter, image }] });
    } finally {
      await adapter.dispose();
    }
  };
  const expected = await draw(sketch.adapters.base!);
  test.not(await drawn(pipe, short), expected, 'the adapter acts');
  const byModule = (prefix: string, projector: string) => (name: string) =>
    name
      .replace(/^ip_adapter\.(\d+)\./, (_, n) => `${prefix}${sites[(Number(n) - 1) / 2]}.processor.`)
      .replace(/^image_proj\./, projector);
  for (const [prefix, projector] of [
    ['', 'image_proj.'],
    ['unet.', 'image_proj_model.'],
  ] as const) {
    // in another order than the file's, as converters write them
    const entries = [...renamed(tensors, byModule(prefix, projector))].sort(([a], [b]) => (a < b ? 1 : -1));
    test.equal(await draw(written('by-module.safetensors', new Map(entries))), expected, prefix || 'no prefix');
  }
});

t.test('a LoRA whose modules begin with diffusion_model. draws the same picture', async (test) => {
  const pipe = await opened(test);
  const values = (count: number): Buffer =>
    Buffer.from(Float32Array.from({ length: count }, (_, i) => Math.sin(i + 1) / 2).buffer);
  const layer = 'down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q';
  const tensors: Tensors = new Map([
    [`unet.${layer}.lora_A.weight`, { dtype: 'F32', shape: [4, 32], bytes: values(128) }],
    [`unet.${layer}.lora_B.weight`, { dtype: 'F32', shape: [32, 4], bytes: values(128) }],
  ]);
  const draw = async (file: string): Promise<string> => {
    const lora = await pipe.addLora(file, { name: 'lora' });
    try {
      return await drawn(pipe, short);
    } finally {
      await lora.dispose();
    }
  };
  const expected = await draw(written('unet.safetensors', tensors));
  test.not(await drawn(pipe, short), expected, 'the LoRA acts');
  const prefixed = renamed(tensors, (name) => name.replace('unet.', 'diffusion_model.'));
  test.equal(await draw(written('prefixed.safetensors', prefixed)), expected);
});

t.test('a file of another kind is told what it is and which call takes it', async (test) => {
  const pipe = await opened(test);
  const zeros = (...shape: number[]): { dtype: string; shape: number[]; bytes: Buffer } => ({
    dtype: 'F16',
    shape,
    bytes: Buffer.alloc(2 * shape.reduce((a, b) => a * b, 1)),
  });
  const base = join(folder, 'base.safetensors');
  writeLdmFile(sketch.path, base);
  const files: readonly (readonly [file: string, kind: string, call: string])[] = [
    [base, 'Stable Diffusion checkpoint', 'Pipeline.load(file)'],
    [
      written(
        'lora.safetensors',
        new Map([
          ['lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight', zeros(4, 8)],
          ['lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k.lora_up.weight', zeros(8, 4)],
        ]),
      ),
      'a LoRA',
      'pipe.addLora(file)',
    ],
    [sketch.adapters.base!, 'an IP-Adapter', 'pipe.addAdapter(file)'],
    [join(sketch.encoder!, 'model.safetensors'), 'an image encoder', 'pipe.addAdapter(file, { encoder })'],
    [join(sketch.path, 'vae/diffusion_pytorch_model.safetensors'), 'a VAE', 'Pipeline.load(model, { vae: file })'],
    [join(sketch.path, 'unet/diffusion_pytorch_model.safetensors'), 'a UNet', 'the unet folder'],
    [join(sketch.path, 'text_encoder/model.safetensors'), 'a text encoder', 'the text_encoder folder'],
    [
      written('control.safetensors', new Map([['control_model.input_hint_block.0.weight', zeros(16, 3, 3, 3)]])),
      'a ControlNet',
      'pipe.addControlNet(file)',
    ],
  ];
  const calls = {
    load: { of: 'Pipeline.load(file)', code: 'MODEL_FORMAT_UNSUPPORTED', run: (file: string) => Pipeline.load(file) },
    addAdapter: {
      of: 'pipe.addAdapter(file)',
      code: 'ADAPTER_UNKNOWN',
      run: (file: string) => pipe.addAdapter(file),
    },
    addLora: { of: 'pipe.addLora(file)', code: 'LORA_KEYS_UNMATCHED', run: (file: string) => pipe.addLora(file) },
  };
  for (const { of, code, run } of Object.values(calls)) {
    for (const [file, kind, call] of files) {
      if (call === of) continue;
      const error = (await failure(run(file))) as unknown as { code: string; message: string; hint: string };
      test.match(error, { code, message: new RegExp(`it is .*${kind.replace(/^an? /, '')}`) }, `${kind} for ${of}`);
      test.ok(error.hint.includes(call), error.hint);
    }
  }
});

t.test('a checkpoint without a text encoder or a VAE is told what it lacks', async (test) => {
  const only = async (name: string, keep: RegExp): Promise<{ code: string; message: string }> => {
    const file = join(folder, name);
    writeLdmFile(sketch.path, file, (tensor) => keep.test(tensor));
    return (await failure(Pipeline.load(file))) as unknown as { code: string; message: string };
  };
  const noText = await only('no-text.safetensors', /^(model|first_stage_model)\./);
  test.match(noText, { code: 'TENSOR_MISSING', message: /no-text\.safetensors.* holds no text encoder$/ });
  const unetOnly = await only('unet.safetensors', /^model\./);
  test.match(unetOnly, { code: 'TENSOR_MISSING', message: /holds no text encoder and no VAE$/ });
  const noVae = await only('no-vae.safetensors', /^(model|cond_stage_model)\./);
  test.match(noVae, { code: 'TENSOR_MISSING', message: /holds no VAE$/ });
});
