// The option images.formats reaches every door: a pipeline, a face analyzer, the command line.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import t from 'tap';
import { FaceAnalyzer, type Pipeline } from '../../../lib/index.js';
import { drawn, failure, opened, program, reference, sketch } from '../sketch.js';

const folder = mkdtempSync(join(tmpdir(), 'ipa-formats-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const gif = join(folder, 'person.gif');
await sharp(reference('person-5-1.png')).gif({ colours: 256 }).toFile(gif);
const images = { formats: ['gif'] } as const;

t.test('a pipeline', async (test) => {
  const run = async (pipe: Pipeline): Promise<string> => {
    const adapter = await pipe.addAdapter(sketch.adapters.base, { encoder: sketch.encoder });
    return drawn(pipe, { steps: 1, references: [{ adapter, image: gif }] });
  };
  test.match(await failure(opened(test).then(run)), { code: 'IMAGE_FORMAT' });
  test.match(await run(await opened(test, { images })), /^[0-9a-f]{64}$/);
});

t.test('a face analyzer', async (test) => {
  const closed = await FaceAnalyzer.load(sketch.face);
  test.teardown(() => closed.dispose());
  test.match(await failure(closed.detect(gif)), { code: 'IMAGE_FORMAT' });
  const open = await FaceAnalyzer.load(sketch.face, { images });
  test.teardown(() => open.dispose());
  test.equal((await open.detect(gif)).length, 1);
});

t.test('the command line', async (test) => {
  const cli = fileURLToPath(new URL('../../../dist/cli/index.js', import.meta.url));
  const args = [cli, 'generate', '--prompt', 'portrait of a man', '--steps', '1', '--reference', gif];
  const out = ['--out', join(folder, 'out.png')];
  const refused = await program([...args, ...out]);
  test.match(refused, { code: 1, err: /IMAGE_FORMAT/ });
  test.match(await program([...args, ...out, '--image-formats', 'gif,avif']), { code: 0 });
});
