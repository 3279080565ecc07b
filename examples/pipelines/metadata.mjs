// A picture's file says how it was made: it is read back, drawn again to the same pixels, and compared with another.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { diffRecords, Pipeline, readMetadata, recipeOf } from 'node-ip-adapter';
import { attach, draw, expectAlike, expectUnlike, open, person, sheet } from '../adapters/stage.mjs';

const folder = await mkdtemp(join(tmpdir(), 'metadata-'));
const file = join(folder, 'first.jpg');
const pipe = await open();
const adapter = await attach(pipe, 'plus');
const init = { image: person(5), strength: 0.8 };
const first = await draw(pipe, [{ adapter, image: person(4), scale: 0.9 }], { init, steps: 8, label: 'first' });
await first.toFile(file);
await pipe.dispose();

const { record } = await readMetadata(file);
console.log(`${record.label}: seed ${record.seed}, ${record.steps} steps, ${record.references[0].adapter}`);

/** What a record says, as it is or with other options. The bundled pictures and weights are found without `search`. */
const { model, load, adapters, options, keep } = await recipeOf(record, { search: [folder] });
const again = await Pipeline.load(model, load);
for (const { file, options } of adapters) await again.addAdapter(file, options);
const repeat = async (change = {}) => (await again.generate({ ...options, ...change })).images[keep];
const same = await repeat();
assert.deepEqual([...same.data], [...first.data], 'the same pixels');
expectAlike(same, first, 'drawn again');
assert.deepEqual(diffRecords(record, same.metadata).changes, []);

const [reference] = options.references;
const weaker = await repeat({ references: [{ ...reference, scale: 0.3 }] });
expectUnlike(weaker, first, 'with a smaller scale');
const { changes, several } = diffRecords(record, weaker.metadata);
for (const { option, a, b } of changes) console.log(`${option}: ${a} -> ${b}`);
assert.deepEqual([changes.map(({ option }) => option), several], [['references[0].scale'], false]);
await sheet('metadata', [person(5), person(4), first, same, weaker]);
await rm(folder, { recursive: true });
await again.dispose();
