// Which network a module of a LoRA file changes: SDXL's two text encoders, and a checkpoint of one file.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Pipeline } from '../../../lib/index.js';
import { ModelWeights } from '../../../lib/loras/weights.js';
import { openLora } from '../../../lib/models/lora-file.js';
import type { Model } from '../../../lib/models/model.js';
import { startEngine } from '../../../lib/native/engine.js';
import type { LoadSpec, NetworkHandle } from '../../../lib/native/types.js';
import { pipelineParts } from '../../../lib/pipeline.js';
import { writeLdmFile } from '../ldm-file.js';
import { kohya, LAYERS, type Tensors, written } from '../loras.js';
import { drawn, failure, opened, sketch } from '../sketch.js';

const models = new URL('../../golden/models/', import.meta.url);
const layer = (prefix: string): string => `${prefix}_text_model_encoder_layers_1_self_attn_v_proj`;
const renamed = (tensors: Tensors, from: string, to: string): Tensors =>
  new Map([...tensors].map(([name, tensor]) => [name.replace(from, to), tensor]));

t.test('SDXL: each text encoder has its own part of the file', async (test) => {
  const host = startEngine({ threads: 1, dtype: 'f32' });
  test.teardown(() => host.close());
  const stop = host.stop();
  const load = (kind: LoadSpec['kind'], prefix: string, encoder?: number): Promise<NetworkHandle> => {
    const { tensors, config } = JSON.parse(readFileSync(new URL(`${prefix}.json`, models), 'utf8'));
    const source = { synthetic: prefix, tensors };
    return host.engine.load({ kind, source, config, ...(encoder === undefined ? {} : { encoder }), stop });
  };
  const networks = [await load('unet', 'unetxl'), await load('clip_text', 'textxl1', 0)];
  networks.push(await load('clip_text', 'text2', 1));
  const [unet, first, second] = networks as [NetworkHandle, NetworkHandle, NetworkHandle];
  const weights = new ModelWeights(host, {
    unet,
    text: [first, second].map((network) => ({ network })) as unknown as Model['text'],
  });
  const digests = (): string[] => networks.map((network) => network.digest());
  const base = digests();
  const changed = (): boolean[] => digests().map((digest, i) => digest !== base[i]);
  const toQ = 'lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q';
  const [one, two] = [kohya({ [layer('lora_te1')]: [64, 64] }), kohya({ [layer('lora_te2')]: [64, 64] })];
  const dotted = (prefix: string): string => `${prefix}.text_model.encoder.layers.1.self_attn.v_proj`;
  for (const [name, tensors, expected] of [
    ['te1', one, [false, true, false]],
    ['te2', two, [false, false, true]],
    ['text_encoder', renamed(one, layer('lora_te1'), dotted('text_encoder')), [false, true, false]],
    ['text_encoder_2', renamed(two, layer('lora_te2'), dotted('text_encoder_2')), [false, false, true]],
    ['all', new Map([...one, ...two, ...kohya({ [toQ]: [64, 64] })]), [true, true, true]],
  ] as const) {
    const lora = await openLora(host, networks, written(`sdxl-${name}`, tensors), stop);
    test.same(
      [lora.info.modules, lora.info.textModules],
      [expected[0] ? 1 : 0, expected.slice(1).filter(Boolean).length],
    );
    await weights.set([{ lora, strength: 1, textStrength: 0.5 }], stop);
    test.same(changed(), expected, name);
    test.ok(weights.uses(lora));
    await weights.set([{ lora, strength: 1, textStrength: 0 }], stop);
    test.same(changed(), [expected[0], false, false], `${name}: text strength 0`);
    await weights.set([], stop);
    test.same(digests(), base, `${name}: taken back`);
    test.notOk(weights.uses(lora));
  }
  test.match(await failure(openLora(host, [unet, first], written('sdxl-none', two), stop)), {
    code: 'LORA_KEYS_UNMATCHED',
  });
});

t.test('a checkpoint of one file takes a LoRA as its folder does', async (test) => {
  const folder = mkdtempSync(join(tmpdir(), 'ipa-ldm-lora-'));
  test.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'sketch.safetensors');
  writeLdmFile(sketch.path, file);
  const single = await Pipeline.load(file);
  test.teardown(() => single.dispose());
  const lora = written('single', kohya({ ...LAYERS.unet, ...LAYERS.text }));
  const pictures: string[] = [];
  for (const pipe of [single, await opened(test)]) {
    const { unet, text } = pipelineParts(pipe).model;
    const digests = (): string[] => [unet.digest(), text[0]!.network.digest()];
    const base = digests();
    await using attached = await pipe.addLora(lora);
    test.equal(attached.info.textModules, 2);
    pictures.push(await drawn(pipe, { steps: 2 }), ...digests());
    await attached.dispose();
    test.same(digests(), base);
  }
  test.same(pictures.slice(0, 3), pictures.slice(3), 'picture and weights');
});
