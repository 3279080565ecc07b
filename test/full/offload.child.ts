// Draws one picture with an SDXL of true size, the numbers made by rule, and tells what memory was planned and what was taken.
//   offload.child.ts auto|always|never
import { readFileSync } from 'node:fs';
import type { MemoryOptions } from '../../lib/index.js';
import { type EngineOptions, startEngine } from '../../lib/native/engine.js';
import { loadPipelineWith } from '../../lib/pipeline.js';
import { goldenPart, modelFolder, scratch } from '../lib/made/models.js';
import { SparseFiles } from '../lib/made/sparse.js';
import { digestOf } from '../lib/sketch.js';

const peak = (): number => 1024 * Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);

const offload = process.argv[2] as NonNullable<MemoryOptions['offload']>;
const files = new SparseFiles();
const parts = {
  unet: goldenPart('true-unetxl'),
  vae: goldenPart('true-vae'),
  text_encoder: goldenPart('true-clip-l'),
  text_encoder_2: goldenPart('true-clip-g'),
};
const path = await modelFolder(scratch(), 'sdxl', parts, files.write);
const before = peak();
const start = (options: EngineOptions) => files.over(startEngine(options));
const pipe = await loadPipelineWith(start, path, { memory: { offload } });
const { images, timings } = await pipe.generate({
  prompt: 'portrait of a woman',
  width: 1024,
  height: 1024,
  steps: 1,
  seed: 1,
  sampler: 'euler',
});
const { need, dtype, level } = pipe.info;
const result = { offload, need, before, peak: peak(), digest: digestOf(images[0]!.data), dtype, level, ...timings };
process.stdout.write(`${JSON.stringify(result)}\n`);
await pipe.dispose();
