// Names in place of paths: what a text means, that loading opens the cache and asks no network, and that what is not there is
// an error with the command. Which fetched models go together, by what their headers say.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { CATALOG, catalogName, modelNames } from '../../../lib/hub/catalog.js';
import { located, named } from '../../../lib/hub/names.js';
import { IpAdapterError, models, Pipeline } from '../../../lib/index.js';
import { encoderFolder } from '../made/models.js';
import type { Shapes } from '../made/rule.js';
import { writeSparse } from '../made/sparse.js';
import { drawn, opened, reference, sketch } from '../sketch.js';
import { place } from './hub.js';

const failure = async (call: Promise<unknown>): Promise<IpAdapterError> => {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof IpAdapterError) return error;
  throw error ?? new Error('it worked');
};

/** A snapshot's folder in the cache. */
const snapshot = (cache: string, repository: string): string => {
  const root = join(cache, `models--${repository.replace('/', '--')}`);
  const folder = join(root, 'snapshots', 'd'.repeat(40));
  mkdirSync(folder, { recursive: true });
  mkdirSync(join(root, 'refs'), { recursive: true });
  writeFileSync(join(root, 'refs', 'main'), 'd'.repeat(40));
  return folder;
};

t.test('the table of names is whole', async (test) => {
  test.ok(modelNames.length >= 25);
  for (const name of modelNames) {
    const { files, repository, bytes, licence, folder, kind } = CATALOG[name] as (typeof CATALOG)['sd15'];
    test.match(repository, /^[\w-]+\/[\w.-]+$/, name);
    test.ok(bytes > 1e7 && licence.length > 2 && files.length > 0, name);
    test.equal(
      folder === undefined,
      (kind as string) === 'adapter',
      `${name}: an adapter is a file, all else a folder`,
    );
    for (const { path } of files) test.ok(path.startsWith(folder ?? ''), path);
    test.equal(new Set(files.map(({ path }) => path)).size, files.length, name);
    test.same(named(name), { name, row: CATALOG[name] });
  }
  const stems = ['ip-adapter-faceid-plusv2_sd15.bin', 'ip-adapter_sd15_plus.pth', 'IP-Adapter_SDXL', 'nothing.bin'];
  test.same(stems.map(catalogName), ['faceid-plusv2-sd15', 'plus-sd15', 'base-sdxl', undefined]);
});

t.test('what a text can mean', async (test) => {
  test.same(named('owner/name'), { repository: 'owner/name' });
  test.same(named('owner/name/a/b.safetensors'), { repository: 'owner/name', file: 'a/b.safetensors' });
  for (const text of [
    '/a/b',
    './a',
    '../a/b',
    'a/../b.bin',
    'a/b.safetensors',
    'a/b/c',
    'C:\\a',
    'a/b//c.bin',
    'a/b/../c.bin',
    '',
  ])
    test.equal(named(text), undefined, text);
});

t.test('what is not there is an error with the command, and asks nobody', async (test) => {
  const { hub, cache } = await place(test);
  const cases = [
    ['sd15', /Stable Diffusion 1\.5/, 'npx node-ip-adapter pull sd15'],
    ['someone/model', /no path on this machine/, 'npx node-ip-adapter pull someone/model'],
  ] as const;
  for (const [name, message, command] of cases) {
    const error = await failure(Pipeline.load(name));
    test.match(error, { code: 'MODEL_NOT_FOUND', message, details: { path: name, cache } });
    test.ok(error.hint.endsWith(command), error.hint);
  }
  test.match(await failure(Pipeline.load('sd51')), { code: 'MODEL_NOT_FOUND', hint: /give sd15/ });
  const pipe = await opened(test);
  test.match(await failure(pipe.addAdapter('plus-sd15')), { code: 'MODEL_NOT_FOUND', hint: /pull plus-sd15$/ });
  test.match(await failure(pipe.addLora('someone/x/y.safetensors')), { hint: /pull someone\/x\/y\.safetensors$/ });
  const encoder = 'image-encoder-vit-h';
  test.match(await failure(pipe.addAdapter(sketch.adapters.base!, { encoder })), {
    code: 'MODEL_NOT_FOUND',
    hint: /pull image-encoder-vit-h$/,
  });
  test.equal(await located(join(cache, 'nothing')), join(cache, 'nothing'), 'a path stays a path');
  test.equal(hub.asked.length, 0);
});

t.test('names open what the cache has, through links, and draw the same picture', async (test) => {
  const { hub, cache } = await place(test);
  const blobs = join(cache, 'models--someone--sketch', 'blobs');
  cpSync(sketch.path, blobs, { recursive: true });
  const linked = snapshot(cache, 'someone/sketch');
  for (const part of ['model_index.json', 'scheduler', 'text_encoder', 'tokenizer', 'unet', 'vae'])
    symlinkSync(join('..', '..', 'blobs', part), join(linked, part));
  cpSync(join(dirname(sketch.path), 'defaults.json'), join(linked, 'defaults.json')); // the family's sampler and size
  const adapters = snapshot(cache, 'h94/IP-Adapter');
  mkdirSync(join(adapters, 'models'));
  cpSync(sketch.adapters.plus!, join(adapters, 'models', 'ip-adapter-plus_sd15.safetensors'));
  const pipe = await Pipeline.load('someone/sketch');
  test.teardown(() => pipe.dispose());
  const adapter = await pipe.addAdapter('plus-sd15', { encoder: sketch.encoder });
  test.equal(adapter.name, 'plus-sd15', 'its name is as it was given');
  const image = reference('person-5-1.png');
  const named = await drawn(pipe, { steps: 2, references: [{ adapter: 'plus-sd15', image }] });
  const plain = await Pipeline.load(sketch.path);
  test.teardown(() => plain.dispose());
  await plain.addAdapter(sketch.adapters.plus!, { encoder: sketch.encoder, name: 'plus' });
  test.equal(await drawn(plain, { steps: 2, references: [{ adapter: 'plus', image }] }), named);
  test.equal(hub.asked.length, 0);
});

t.test('an adapter finds the encoder that was fetched, and says which to fetch', async (test) => {
  const { cache } = await place(test);
  const pipe = await opened(test);
  const folder = snapshot(cache, 'someone/adapters');
  cpSync(sketch.adapters.base!, join(folder, 'a.safetensors'));
  const lonely = await failure(pipe.addAdapter('someone/adapters/a.safetensors'));
  test.match(lonely, { code: 'ADAPTER_ENCODER_MISSING' });
  test.notMatch(lonely.hint, /pull/, 'no fetched encoder fits the bundled family');
  const shelf = join(snapshot(cache, 'h94/IP-Adapter'), 'models', 'image_encoder');
  cpSync(sketch.encoder, shelf, { recursive: true });
  const adapter = await pipe.addAdapter('someone/adapters/a.safetensors');
  test.equal(adapter.name, 'a');
});

/** An adapter of SD1.5's true sizes. source: the order of the authors' files, down, up, then mid */
const sd15Adapter = (encoder: number): Shapes => {
  const widths = [320, 320, 640, 640, 1280, 1280, 1280, 1280, 1280, 640, 640, 640, 320, 320, 320, 1280];
  const pairs = widths.flatMap((width, i) =>
    ['to_k_ip', 'to_v_ip'].map((name) => [`ip_adapter.${2 * i + 1}.${name}.weight`, [width, 768]] as const),
  );
  return {
    'image_proj.proj.weight': [4 * 768, encoder],
    'image_proj.proj.bias': [4 * 768],
    'image_proj.norm.weight': [768],
    'image_proj.norm.bias': [768],
    ...Object.fromEntries(pairs),
  };
};

/** What of a UNet's header tells its family. */
const unetHeader = (context: number, more: Shapes = {}): Shapes => ({
  'conv_in.weight': [320, 4, 3, 3],
  'mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight': [1280, context],
  'up_blocks.0.resnets.0.conv1.bias': [1280],
  ...more,
});

t.test('what goes with what', async (test) => {
  const { cache, hub } = await place(test);
  const h94 = snapshot(cache, 'h94/IP-Adapter');
  for (const [folder, widths] of [
    ['models', { hidden: 1280, projection: 1024 }],
    ['sdxl_models', { hidden: 1664, projection: 1280 }],
  ] as const) {
    cpSync(encoderFolder(cache, widths), join(h94, folder, 'image_encoder'), { recursive: true });
    writeFileSync(join(h94, folder, 'image_encoder', 'config.json'), '{}');
  }
  writeSparse(join(h94, 'models', 'ip-adapter_sd15.safetensors'), sd15Adapter(1024));
  writeSparse(join(h94, 'models', 'ip-adapter_sd15_vit-G.safetensors'), sd15Adapter(1280));
  for (const [name, shapes] of [
    ['someone/model', unetHeader(768)],
    ['someone/large', unetHeader(2048, { 'add_embedding.linear_1.weight': [1280, 2816] })],
  ] as const) {
    const folder = snapshot(cache, name);
    writeFileSync(join(folder, 'model_index.json'), '{}');
    mkdirSync(join(folder, 'unet'));
    writeSparse(join(folder, 'unet', 'diffusion_pytorch_model.safetensors'), shapes);
  }
  writeFileSync(join(snapshot(cache, 'someone/page'), 'x.safetensors'), '<html><title>Log in</title>');
  const found = await models.list();
  test.match(found, [
    { name: 'image-encoder-vit-h', kind: 'image encoder', fits: ['base-sd15'] },
    { name: 'image-encoder-vit-bigg', fits: ['vit-g-sd15'] },
    { name: 'base-sd15', base: 'SD1.5', encoder: /^ViT-H/, fits: ['image-encoder-vit-h', 'someone/model'] },
    { name: 'vit-g-sd15', base: 'SD1.5', encoder: /^ViT-bigG/, fits: ['image-encoder-vit-bigg', 'someone/model'] },
    { name: 'someone/large', base: 'SDXL', fits: [] },
    { name: 'someone/model', base: 'SD1.5', fits: ['base-sd15', 'vit-g-sd15'] },
    { name: 'someone/page/x.safetensors', problem: 'MODEL_NOT_A_MODEL', fits: [] },
  ]);
  test.equal(found.length, 7);
  test.equal(hub.asked.length, 0);
});

t.test('importing the library loads nothing that fetches', async (test) => {
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  const index = new URL('../../../dist/index.js', import.meta.url).href;
  // a loader hook would see imports; resolving them to nothing shows that none is needed
  const script = `import { register } from 'node:module';
    register('data:text/javascript,' + encodeURIComponent(\`export const resolve = (name, context, next) => {
      if (/huggingface.hub|undici/.test(name)) throw new Error('loaded ' + name);
      return next(name, context); }\`));
    const { models } = await import(${JSON.stringify(index)});
    if (models.names().length < 25) throw new Error('names');
    const words = await models.pull('plus-sd15', { confirm: () => true }).catch((error) => error.message + error.cause);
    console.log(words);`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, HF_HUB_CACHE: join(dirname(root), 'no-cache'), HF_ENDPOINT: 'http://127.0.0.1:9' },
  });
  test.match(stdout, /loaded @huggingface\/hub/, `pull itself needs it, importing does not: ${stderr}`);
});

t.test('docs/models.md has the table of names', async (test) => {
  const text = readFileSync(new URL('../../../docs/models.md', import.meta.url), 'utf8');
  for (const { name, repository, licence } of models.names()) {
    const line = text.split('\n').find((it) => it.startsWith(`| \`${name}\` `));
    test.ok(line?.includes(`| ${repository} |`) && line.includes(licence), `${name}: ${line}`);
  }
});
