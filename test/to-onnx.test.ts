// The tiny networks of the goldens written as ONNX graphs (tools/to_onnx) and run by ONNX Runtime: an implementation that
// shares no line with ours says what the naive twins say.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as ort from 'onnxruntime-web';
import t from 'tap';
import { products } from '../scripts/ensure-built.mjs';

/** Sums in f32 over some thousand numbers, in another order, against sums in f64. */
const LIMIT = 1e-4;

interface Port {
  readonly name: string;
  readonly dims: readonly number[];
  readonly offset: number; // bytes
}
interface Ports {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

const scratch = mkdtempSync(join(tmpdir(), 'ipa-to-onnx-'));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
ort.env.wasm.numThreads = 1; // its worker threads would outlive the test

const golden = fileURLToPath(new URL('./golden', import.meta.url));
const networks = execFileSync(products.nativeGolden, ['--to-onnx', golden, scratch], { encoding: 'utf8' })
  .trim()
  .split('\n')
  .map((line) => line.split('\t') as [name: string, form: string, folder: string]);

/** ||got - want|| / ||want||; NaN where `got` has one. */
const relativeError = (got: Float32Array, want: Float32Array): number => {
  let difference = 0;
  let size = 0;
  want.forEach((value, i) => {
    difference += (got[i]! - value) ** 2;
    size += value ** 2;
  });
  return Math.sqrt(difference / size);
};

t.test('the networks and forms that are compared', async (test) => {
  test.strictSame([...new Set(networks.map(([, form]) => form))], ['recorded', 'folded']);
  for (const part of ['SD1.5 UNet', 'SDXL UNet', 'VAE decoder', 'CLIP text'])
    test.ok(
      networks.some(([name]) => name.startsWith(part)),
      part,
    );
});

for (const [name, form, folder] of networks)
  t.test(`${name}, ${form}`, async (test) => {
    const { inputs, outputs } = JSON.parse(readFileSync(join(folder, 'ports.json'), 'utf8')) as Ports;
    const bytes = readFileSync(join(folder, 'values.bin'));
    const numbers = ({ dims, offset }: Port): Float32Array => {
      const count = dims.reduce((a, b) => a * b, 1);
      return new Float32Array(bytes.buffer.slice(bytes.byteOffset + offset, bytes.byteOffset + offset + 4 * count));
    };
    const session = await ort.InferenceSession.create(readFileSync(join(folder, 'graph.onnx')), {
      externalData: [{ path: 'weights.bin', data: readFileSync(join(folder, 'weights.bin')) }],
    });
    const feeds = inputs.map((port) => [port.name, new ort.Tensor('float32', numbers(port), port.dims)] as const);
    const results = await session.run(Object.fromEntries(feeds));
    await session.release();
    test.ok(outputs.length > 0);
    for (const port of outputs) {
      const got = results[port.name]!;
      test.strictSame(got.dims, port.dims);
      const error = relativeError(got.data as Float32Array, numbers(port));
      test.comment(`${name}, ${form}: ${port.name} differs by ${error.toExponential(1)} of its size`);
      test.ok(error <= LIMIT, `${port.name} differs by ${error}, at most ${LIMIT}`);
    }
  });
