// sha256 of Pipeline.load: what a file must be, by part of a folder, checked before a tensor is read.
import { join } from 'node:path';
import t from 'tap';
import { sha256 } from '../../../lib/files/files.js';
import { type LoadEvent, Pipeline } from '../../../lib/index.js';
import type { ModelHashes } from '../../../lib/models/expected-hashes.js';
import { failure, opened, sketch } from '../sketch.js';

const unet = join(sketch.path, 'unet', 'diffusion_pytorch_model.safetensors');
const other = 'ab'.repeat(32);

t.test('the parts that are named must have their hashes', async (test) => {
  const hash = await sha256(unet);
  test.equal((await opened(test, { sha256: { unet: hash.toUpperCase() } })).disposed, false);
  const events: LoadEvent[] = [];
  const onProgress = (event: LoadEvent): void => void events.push(event);
  test.match(await failure(Pipeline.load(sketch.path, { sha256: { unet: hash, vae: other }, onProgress })), {
    code: 'MODEL_HASH_MISMATCH',
    details: { path: /vae/, expected: other },
  });
  test.same(events, [], 'nothing was read');
});

t.test('a hash that has no file is refused, and what is none', async (test) => {
  const load = (hashes: unknown) => failure(Pipeline.load(sketch.path, { sha256: hashes as ModelHashes }));
  const conflict = { code: 'OPTION_CONFLICT', details: { option: 'sha256' } };
  test.match(await load(other), conflict, 'a folder has several files');
  test.match(await load({ text_encoder_2: other }), conflict);
  for (const wrong of ['ab', { unet: 'ab' }, { refiner: other }, 7])
    test.match(await load(wrong), { name: 'OptionError' });
});
